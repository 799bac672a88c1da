#include <asio/version.hpp>
#include <livetape/error.hpp>
#include <simdjson.h>

// Needs the headers, the definitions and the libraries that the target must bring.
int main() {
    static_assert(ASIO_VERSION >= 102200);
    simdjson::ondemand::parser parser;
    simdjson::padded_string const text{std::string_view{R"({"load":42})"}};
    auto document = parser.iterate(text);
    auto const load = document["load"].get_int64();
    return load.error() == simdjson::SUCCESS && livetape::describe({}).name == "none" ? 0 : 1;
}
