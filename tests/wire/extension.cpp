#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include <livetape/wire/extension.hpp>

namespace {

using livetape::websocket::extension;
using livetape::websocket::parse_extensions;

/// Writes what was parsed in one normal form: "name;parameter;parameter=value, name".
std::string normal_form(std::string_view value) {
    std::vector<extension> found;
    if (!parse_extensions(value, found)) return "refused";
    std::string out;
    for (auto const& e : found) {
        if (!out.empty()) out += ", ";
        out += e.name;
        for (auto const& parameter : e.parameters) {
            out.append(";").append(parameter.name);
            if (parameter.value) out.append("=").append(*parameter.value);
        }
    }
    return out;
}

struct value_vector {
    char const* value;
    char const* expected;
};

TEST_CASE("wire/extension: parses lists [RFC 6455 §9.1]") {
    constexpr value_vector vectors[] = {
        {"foo", "foo"},
        {"foo, bar; baz=2", "foo, bar;baz=2"},
        {"bar; baz=2,foo", "bar;baz=2, foo"},
        {"deflate-stream", "deflate-stream"},
        {"mux; max-channels=4; flow-control, deflate-stream",
         "mux;max-channels=4;flow-control, deflate-stream"},
        {"private-extension", "private-extension"},
        {"permessage-deflate; client_max_window_bits", "permessage-deflate;client_max_window_bits"},
        {"permessage-deflate; server_max_window_bits=\"10\"",
         "permessage-deflate;server_max_window_bits=10"},
        {"foo;a=\"b\\c\\1\"", "foo;a=bc1"},
        {"foo ;\ta = 1 ;b\t,  bar", "foo;a=1;b, bar"},
        {" foo ", "foo"},
        {",foo,, ,bar,", "foo, bar"},
        {"foo, foo", "foo, foo"},
        {"", ""},
        {" , ", ""},
    };
    for (auto const& v : vectors) {
        CAPTURE(v.value);
        CHECK(normal_form(v.value) == v.expected);
    }
}

TEST_CASE("wire/extension: refuses what breaks the grammar [RFC 6455 §9.1]") {
    constexpr char const* values[] = {
        ";",
        "foo;",
        "foo; ;a",
        "foo;=1",
        "foo;a=",
        "foo;a=,bar",
        "foo bar",
        "foo;a b",
        "foo;a=1 2",
        "=",
        "foo=1",
        "foo;a==1",
        "\"foo\"",
        "foo;\"a\"=1",
        "foo;a=\"\"",
        "foo;a=\"b c\"",
        "foo;a=\"b,c\"",
        "foo;a=\"b",
        "foo;a=\"b\\",
        "foo;a=\"b\"c",
        "foo;a=\"b\\\"\"",
        "f\xc3\xbc",
        "foo;a=\x01",
        "foo/1",
        "foo, bar;",
    };
    for (auto const* value : values) {
        CAPTURE(value);
        CHECK(normal_form(value) == "refused");
    }
}

} // namespace
