#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

    /// @param directory  taken by its real path, so the process may change its own later
    /// @throws std::system_error if the directory does not exist
    explicit static_files(std::string const& directory) {
        auto root = real_path(directory);
        if (!root) throw std::system_error{errno, std::system_category(), directory};
        root_ = std::move(*root);
        if (root_ != "/") root_ += '/';
    }

    /// Answers a GET or HEAD for a path below the mount point, percent-encoded, with or without the
    /// '/' at its beginning; nothing if there is no such file.
    [[nodiscard]] std::optional<http_reply> find(std::string_view path,
                                                 http::request_head const& head) const {
        std::string decoded;
        if (!http::percent_decode(path, decoded)) return std::nullopt;
        struct stat found;
        auto const path_found = locate(decoded, found);
        if (!path_found || static_cast<std::uint64_t>(found.st_size) > file_bytes_max)
            return std::nullopt;
        http_reply reply;
        std::string tag{'"'};
        append_number(tag, static_cast<std::uint64_t>(found.st_mtim.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(found.st_mtim.tv_nsec));
        tag += '-';
        append_number(tag, static_cast<std::uint64_t>(found.st_size));
        tag += '"';
        http::append_field(reply.fields, "ETag", tag);
        http::append_field(reply.fields, "Cache-Control", "no-cache");
        http::append_field(reply.fields, "X-Content-Type-Options", "nosniff");
        reply.content_type = media_type_of(*path_found);
        if (is_known(head, tag)) reply.status = 304;
        else if (!read(*path_found, reply.body)) return std::nullopt;
        return reply;
    }

private:
    /// The path without symbolic links, `.` and `..`; nothing, and `errno`, if it leads nowhere.
    [[nodiscard]] static std::optional<std::string> real_path(std::string const& path) {
        struct freed {
            void operator()(char* text) const noexcept { std::free(text); }
        };
        std::unique_ptr<char, freed> const real{::realpath(path.c_str(), nullptr)};
        if (!real) return std::nullopt;
        return std::string{real.get()};
    }

    [[nodiscard]] std::optional<std::string> locate(std::string_view path,
                                                    struct stat& found) const {
        if (path.find('\0') != std::string_view::npos) return std::nullopt;
        while (path.starts_with('/')) path.remove_prefix(1);
        auto file = real_path(root_ + std::string{path});
        if (!file || ::stat(file->c_str(), &found) != 0) return std::nullopt;
        if (S_ISDIR(found.st_mode)) {
            file = real_path(*file + "/index.html");
            if (!file || ::stat(file->c_str(), &found) != 0) return std::nullopt;
        }
        if (!file->starts_with(root_) || !S_ISREG(found.st_mode)) return std::nullopt;
        return file;
    }

    /// Whether the client has this version already (RFC 9110 §13.1.2): proxies that compress weaken
    /// the tag, and `*` stands for any.
    [[nodiscard]] static bool is_known(http::request_head const& head, std::string const& tag) {
        return http::has_token(head, "If-None-Match", tag) ||
               http::has_token(head, "If-None-Match", "W/" + tag) ||
               http::has_token(head, "If-None-Match", "*");
    }

    [[nodiscard]] static bool read(std::string const& file, std::string& body) {
        // Not waiting for a writer, should somebody have put a pipe there meanwhile.
        int const descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor < 0) return false;
        std::array<char, 16384> block;
        ssize_t got;
        do {
            do got = ::read(descriptor, block.data(), block.size());
            while (got < 0 && errno == EINTR);
            if (got > 0) body.append(block.data(), static_cast<std::size_t>(got));
        } while (got > 0 && body.size() <= file_bytes_max);
        ::close(descriptor);
        return got == 0;
    }

    std::string root_; ///< ends with '/'
};

} // namespace livetape
