#include "rules.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

struct sample {
    std::string_view name;
    std::string path;
    std::string text;
    std::string_view finding; // part of the only finding; empty if there must be none
};

std::string include_line(std::string_view header) {
    return "#pragma once\n#include <" + std::string{header} + ">\n";
}

sample const samples[]{
    {"wire: standard library", "include/livetape/wire/a.hpp", include_line("string"), ""},
    {"wire: instructions", "include/livetape/wire/a.hpp", include_line("tmmintrin.h"), ""},
    {"wire: all instructions", "include/livetape/wire/a.hpp", include_line("immintrin.h"),
     "narrow"},
    {"wire: root header", "include/livetape/wire/a.hpp", include_line("livetape/error.hpp"), ""},
    {"wire: itself", "include/livetape/wire/a.hpp", include_line("livetape/wire/b.hpp"), ""},
    {"wire: channel", "include/livetape/wire/a.hpp", include_line("livetape/channel/log.hpp"),
     "wire may not include channel"},
    {"wire: Asio", "include/livetape/wire/a.hpp", include_line("asio/buffer.hpp"),
     "wire may not include asio"},
    {"wire: zlib where it belongs", "include/livetape/wire/deflate.hpp", include_line("zlib.h"),
     ""},
    {"wire: zlib elsewhere", "include/livetape/wire/a.hpp", include_line("zlib.h"), "zlib"},
    {"wire: quoted", "include/livetape/wire/a.hpp", "#pragma once\n#include \"b.hpp\"\n",
     "<b.hpp>"},
    {"channel: wire", "include/livetape/channel/a.hpp", include_line("livetape/wire/b.hpp"),
     "channel may not include wire"},
    {"transport: wire", "include/livetape/transport/a.hpp", include_line("livetape/wire/b.hpp"),
     ""},
    {"transport: simdjson", "include/livetape/transport/a.hpp", include_line("simdjson.h"), ""},
    {"transport: Asio", "include/livetape/transport/a.hpp", include_line("asio/buffer.hpp"),
     "asio"},
    {"transport: net", "include/livetape/transport/a.hpp", include_line("livetape/net/server.hpp"),
     "transport may not include net"},
    {"net: Asio", "include/livetape/net/a.hpp", include_line("asio/buffer.hpp"), ""},
    {"net: all of Asio", "include/livetape/net/a.hpp", include_line("asio.hpp"), "narrow"},
    {"net: simdjson", "include/livetape/net/a.hpp", include_line("simdjson.h"), "simdjson"},
    {"net: OpenSSL where it belongs", "include/livetape/net/tls.hpp", include_line("asio/ssl.hpp"),
     ""},
    {"net: OpenSSL elsewhere", "include/livetape/net/a.hpp", include_line("asio/ssl.hpp"),
     "openssl"},
    {"net: POSIX where it belongs", "include/livetape/net/accept_queue.hpp", include_line("poll.h"),
     ""},
    {"net: POSIX elsewhere", "include/livetape/net/server.hpp", include_line("poll.h"), "posix"},
    {"root: a layer", "include/livetape/a.hpp", include_line("livetape/wire/b.hpp"),
     "a root header may not include wire"},
    {"root: parts of libstdc++ where it belongs", "include/livetape/time.hpp",
     include_line("bits/chrono.h"), ""},
    {"root: parts of libstdc++ elsewhere", "include/livetape/a.hpp", include_line("bits/chrono.h"),
     "libstdc++"},
    {"root: umbrella", "include/livetape/a.hpp", include_line("livetape/livetape.hpp"), "umbrella"},
    {"umbrella: anything", "include/livetape/livetape.hpp", include_line("livetape/net/server.hpp"),
     ""},
    {"unknown layer", "include/livetape/common/a.hpp", "#pragma once\n",
     "no layer is called common"},

    {"header without guard", "tests/a.hpp", "int a();\n", "no #pragma once"},
    {"using namespace", "include/livetape/a.hpp", "#pragma once\nusing namespace std;\n", "using"},
    {"example: detail", "examples/a.cpp", "livetape::detail::b();\n", "detail"},
    {"test: detail", "tests/wire/a.cpp", "livetape::detail::b();\n", ""},

    {"100 columns", "tests/a.cpp", std::string(100, 'x') + "\n", ""},
    {"101 columns", "tests/a.cpp", std::string(101, 'x') + "\n", "over 100 columns"},
    {"100 columns of two bytes", "tests/a.cpp", "// " + std::string(96, 'x') + "\xC3\xBC\n", ""},
    {"101 columns in a table", "tests/a.cpp",
     "// clang-format off\n" + std::string(101, 'x') + "\n// clang-format on\n", ""},
    {"101 columns of prose", "README.md", std::string(101, 'x') + "\n", ""},
    {"101 columns of JavaScript", "tests/a.mjs", std::string(101, 'x') + "\n", ""},
    {"tab", "README.md", "\tx\n", "tab"},
    {"carriage return", "README.md", "x\r\n", "carriage return"},
    {"blank at the end", "README.md", "x \n", "blank"},
    {"blank at the end in a drawing", "docs/a.svg", "x \n", ""},
    {"path of a machine in a drawing", "docs/a.svg", std::string{"/ho"} + "me/a\n", "one machine"},
    {"no final line end", "README.md", "x", "no line end"},
    {"empty file", "README.md", "", ""},
    {"path of a machine", "README.md", std::string{"see /ho"} + "me/someone\n", "one machine"},
    {"registry", "a.json", std::string{"https://regi"} + "stry.example/x\n", "registry"},
};

TEST_CASE("hygiene/rules: knows an error's name from a part of a longer one") {
    auto const in_cpp = [](std::string_view text) {
        return hygiene::names_error("tests/a/b.cpp", text, "gap");
    };
    CHECK(in_cpp("CHECK(e == error::gap);"));
    CHECK(in_cpp("error::gap"));
    CHECK(in_cpp("error::gap_of_time, livetape::error::gap}"));
    CHECK_FALSE(in_cpp("error::gap_of_time"));
    CHECK_FALSE(in_cpp("error::gaps"));
    CHECK_FALSE(in_cpp("an_error::gap"));
    CHECK_FALSE(in_cpp("gap"));
    CHECK_FALSE(in_cpp(""));
    CHECK(hygiene::names_error("tests/clients/a.mjs", "assert.match(text, /gap/)", "gap"));
    CHECK_FALSE(hygiene::names_error("tests/clients/a.mjs", "the_gap gaps", "gap"));
    CHECK_FALSE(hygiene::names_error("include/a.hpp", "error::gap", "gap"));
}

} // namespace

TEST_CASE("hygiene/rules: each mistake is found and what is right is not") {
    for (auto const& each : samples) {
        CAPTURE(each.name);
        auto const found = hygiene::check(each.path, each.text);
        REQUIRE(found.size() == (each.finding.empty() ? 0u : 1u));
        if (each.finding.empty()) continue;
        CAPTURE(found.front().text);
        CHECK(found.front().text.find(each.finding) != std::string::npos);
    }
}
