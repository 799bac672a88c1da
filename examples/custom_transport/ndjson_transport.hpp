#pragma once

// A transport of the host's own: an event per line of JSON in a plain HTTP response,
// `GET /live/ndjson?channel=NAME&cursor=CURSOR`. Lines that are no event hold `cursor`, which a
// client keeps to come back with, or `gap`; an empty line says that the server is still there.

#include <livetape/livetape.hpp>

#include <cstddef>
#include <string>
#include <string_view>

struct ndjson_encoder {
    static void encode(livetape::event_view const& event, std::string& out) {
        livetape::append_envelope(out, event);
        out += '\n';
    }
    static std::size_t overhead(livetape::event_view const& event) {
        return livetape::envelope_overhead(event) + 1;
    }
};

struct ndjson_format : livetape::stream_format_base {
    using stream_format_base::stream_format_base;

    static std::string_view content_type() { return "application/x-ndjson"; }
    static livetape::encoding const& events(std::size_t) {
        return livetape::encoding_of<ndjson_encoder>;
    }
    static void append_cursor(std::string& out, std::string_view cursor) {
        out.append(R"({"cursor":")").append(cursor).append("\"}\n");
    }
    static void append_gap(std::string& out, std::string_view channel, livetape::gap const& lost) {
        livetape::append_gap(out, channel, lost);
        out += '\n';
    }
    static void append_heartbeat(std::string& out) { out += '\n'; }
};

struct ndjson_transport {
    using session = livetape::stream_session<ndjson_format>;

    static bool matches(livetape::http::request_head const&, std::string_view path) {
        return path == "/ndjson";
    }
};
