#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <livetape/json_text.hpp>
#include <livetape/net/reply.hpp>
#include <livetape/wire/field_list.hpp>
#include <livetape/wire/query.hpp>
#include <livetape/wire/request_head.hpp>

namespace livetape {

/// The media type of a file by the end of its name; `application/octet-stream` if it is unknown.
[[nodiscard]] inline std::string_view media_type_of(std::string_view name) noexcept {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 17> known{{
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".map", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".csv", "text/csv; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
    }};
    for (auto const& [end, type] : known)
        if (name.ends_with(end)) return type;
    return "application/octet-stream";
}

/// The files below one directory, for small sites such as a dashboard's page: each is read whole,
/// at each request. A directory gives its `index.html`. Nothing outside the directory is served,
/// whatever the path says and wherever symbolic links lead.
///
/// Thread safety: shared objects safe. Reading blocks the shard, so keep it to local disks.
class static_files {
public:
    /// Larger files are refused: they belong to a file server, not into a shard's memory.
    static constexpr std::size_t file_bytes_max = std::size_t{16} << 20;

    /// @throws std::filesystem::filesystem_error if the directory does not exist
    explicit static_files(std::filesystem::path const& directory)
        : root_{std::filesystem::canonical(directory)} {}

    /// Answers a GET or HEAD for a path below the mount point, percent-encoded, with or without the
    /// '/' at its beginning; nothing if there is no such file.
    [[nodiscard]] std::optional<http_reply> find(std::string_view path,
                                                 http::request_head const& head) const {
        std::string decoded;
        if (!http::percent_decode(path, decoded)) return std::nullopt;
        auto const file = locate(decoded);
        if (!file) return std::nullopt;

        std::error_code ec;
        auto const size = std::filesystem::file_size(*file, ec);
        auto const changed = std::filesystem::last_write_time(*file, ec).time_since_epoch().count();
        if (ec || size > file_bytes_max) return std::nullopt;
        http_reply reply;
        std::string tag{'"'};
        append_number(tag, static_cast<std::uint64_t>(changed));
        tag += '-';
        append_number(tag, size);
        tag += '"';
        http::append_field(reply.fields, "ETag", tag);
        http::append_field(reply.fields, "Cache-Control", "no-cache");
        http::append_field(reply.fields, "X-Content-Type-Options", "nosniff");
        reply.content_type = media_type_of(file->filename().string());
        if (is_known(head, tag)) reply.status = 304;
        else if (!read(*file, reply.body)) return std::nullopt;
        return reply;
    }

private:
    [[nodiscard]] std::optional<std::filesystem::path> locate(std::string_view path) const {
        if (path.find('\0') != std::string_view::npos) return std::nullopt;
        while (path.starts_with('/')) path.remove_prefix(1);
        std::error_code ec;
        auto file = std::filesystem::canonical(root_ / std::filesystem::path{path}, ec);
        if (ec) return std::nullopt;
        if (std::filesystem::is_directory(file, ec))
            file = std::filesystem::canonical(file / "index.html", ec);
        if (ec || !is_below_root(file) || !std::filesystem::is_regular_file(file, ec))
            return std::nullopt;
        return file;
    }

    /// Whether the client has this version already (RFC 9110 §13.1.2): proxies that compress weaken
    /// the tag, and `*` stands for any.
    [[nodiscard]] static bool is_known(http::request_head const& head, std::string const& tag) {
        return http::has_token(head, "If-None-Match", tag) ||
               http::has_token(head, "If-None-Match", "W/" + tag) ||
               http::has_token(head, "If-None-Match", "*");
    }

    [[nodiscard]] bool is_below_root(std::filesystem::path const& file) const {
        auto part = file.begin();
        for (auto const& of_root : root_)
            if (part == file.end() || *part++ != of_root) return false;
        return part != file.end();
    }

    [[nodiscard]] static bool read(std::filesystem::path const& file, std::string& body) {
        std::ifstream in{file, std::ios::binary};
        body.assign(std::istreambuf_iterator<char>{in}, {});
        return in.good() || in.eof();
    }

    std::filesystem::path root_;
};

} // namespace livetape
