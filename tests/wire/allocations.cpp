#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <span>
#include <string>

#include <livetape/wire/close_code.hpp>
#include <livetape/wire/frame_header.hpp>
#include <livetape/wire/message_reader.hpp>

// Counts what this test program takes from the heap.

namespace {
std::size_t allocation_count = 0;
} // namespace

void* operator new(std::size_t size) {
    ++allocation_count;
    if (void* const made = std::malloc(size == 0 ? 1 : size)) return made;
    throw std::bad_alloc{};
}
void operator delete(void* which) noexcept { std::free(which); }
void operator delete(void* which, std::size_t) noexcept { std::free(which); }

namespace {

using namespace livetape::websocket;
using kind = message_reader::item_kind;

TEST_CASE("wire/message_reader: messages that lie whole in the input take nothing from the heap") {
    std::string bytes;
    std::size_t sent = 0;
    for (std::size_t const size : {0u, 1u, 64u, 125u, 126u, 4096u, 65535u, 65536u}) {
        std::string const payload(size, 'x');
        for (auto const code : {opcode::text, opcode::binary, opcode::ping, opcode::pong}) {
            if (is_control(code) && size > control_payload_bytes_max) continue;
            append_masked_frame(bytes, code, payload, {1, 2, 3, 4});
            ++sent;
        }
    }
    append_masked_close_frame(bytes, 1000, "bye", {1, 2, 3, 4});
    message_reader reader{role::server};
    std::span<char> input{bytes};
    std::size_t received = 0;

    auto const before = allocation_count;
    auto item = reader.next(input);
    for (; item.kind > kind::none && item.kind < kind::close; item = reader.next(input)) ++received;
    auto const taken = allocation_count - before;

    CHECK(item.kind == kind::close);
    CHECK(received == sent);
    CHECK(taken == 0);

    // The counter counts: a message in pieces has to be kept.
    std::string frame;
    append_masked_frame(frame, opcode::text, "kept", {1, 2, 3, 4});
    message_reader of_pieces{role::server};
    input = std::span{frame}.first(7);
    auto const before_piece = allocation_count;
    CHECK(of_pieces.next(input).kind == kind::none);
    CHECK(allocation_count > before_piece);
}

} // namespace
