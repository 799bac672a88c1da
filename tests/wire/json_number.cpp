#include <livetape/wire/json_number.hpp>

#include <doctest/doctest.h>

using namespace livetape::detail;

TEST_CASE("wire/json_number: numbers of any size are told from what only begins like one") {
    for (auto const* good : {"0", "-0", "7", "123456789012345678901234567890", "0.5", "-10.25",
                             "1e400", "1E+5", "0e-1", "1.5e10"}) {
        CAPTURE(good);
        CHECK(is_json_number(good));
    }
    for (auto const* bad : {"", "-", "01", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+", "1e5.0",
                            "1x", "0x1", "1 ", "Infinity", "--1", "1-2", "1e+-5"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_json_number(bad));
    }
}
