#pragma once

#include <cstddef>

#if defined(__GNUC__) && defined(__x86_64__)
#include <tmmintrin.h>
#elif defined(__GNUC__) && defined(__aarch64__)
#include <arm_neon.h>
#endif

// The bulk of UTF-8 validation, 16 bytes at a time, after J. Keiser and D. Lemire, "Validating
// UTF-8 in less than one instruction per byte" (Software: Practice and Experience 51, 2021).
//
// Two bytes in a row can be wrong in eight ways, and each way is a bit. Three tables of 16 entries,
// looked up by the high and the low half of the first byte and the high half of the second, say
// which ways each half allows; what all three allow is an error. That leaves the third and fourth
// byte of a code point, which must be continuations exactly where a lead byte of three or four came
// two or three bytes before: there the "two continuations in a row" bit is right, elsewhere wrong.

namespace livetape::detail {

/// Bytes that the block functions take at a time.
inline constexpr std::size_t utf8_block_bytes = 64;

namespace utf8_errors {
inline constexpr unsigned char too_short = 1 << 0;   ///< lead byte, then no continuation
inline constexpr unsigned char too_long = 1 << 1;    ///< ASCII, then a continuation
inline constexpr unsigned char overlong_3 = 1 << 2;  ///< E0, then 80 to 9F
inline constexpr unsigned char too_large = 1 << 3;   ///< F4, then 90 to BF, or F5 and over
inline constexpr unsigned char surrogate = 1 << 4;   ///< ED, then A0 to BF
inline constexpr unsigned char overlong_2 = 1 << 5;  ///< C0 or C1, then a continuation
inline constexpr unsigned char too_large_8 = 1 << 6; ///< F5 and over, then 80 to 8F
inline constexpr unsigned char overlong_4 = 1 << 6;  ///< F0, then 80 to 8F
inline constexpr unsigned char two_continuations = 1 << 7;

/// What depends on the high half of the first byte alone.
inline constexpr unsigned char any_low = too_short | too_long | two_continuations;
inline constexpr unsigned char f5_and_over = any_low | too_large | too_large_8;

alignas(16) inline constexpr unsigned char by_first_high[16] = {
    too_long,
    too_long,
    too_long,
    too_long,
    too_long,
    too_long,
    too_long,
    too_long,
    two_continuations,
    two_continuations,
    two_continuations,
    two_continuations,
    too_short | overlong_2,
    too_short,
    too_short | overlong_3 | surrogate,
    too_short | too_large | too_large_8 | overlong_4,
};

alignas(16) inline constexpr unsigned char by_first_low[16] = {
    any_low | overlong_2 | overlong_3 | overlong_4,
    any_low | overlong_2,
    any_low,
    any_low,
    any_low | too_large,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over,
    f5_and_over | surrogate,
    f5_and_over,
    f5_and_over,
};

inline constexpr unsigned char any_continuation = too_long | overlong_2 | two_continuations;

alignas(16) inline constexpr unsigned char by_second_high[16] = {
    too_short,
    too_short,
    too_short,
    too_short,
    too_short,
    too_short,
    too_short,
    too_short,
    any_continuation | overlong_3 | overlong_4 | too_large_8,
    any_continuation | overlong_3 | too_large,
    any_continuation | surrogate | too_large,
    any_continuation | surrogate | too_large,
    too_short,
    too_short,
    too_short,
    too_short,
};
} // namespace utf8_errors

#if defined(__GNUC__) && defined(__x86_64__)

/// Whether this processor has what `are_utf8_blocks` needs: all since 2006 do.
[[nodiscard]] inline bool has_utf8_blocks() noexcept { return __builtin_cpu_supports("ssse3"); }

[[nodiscard]] inline __m128i utf8_table(unsigned char const (&of)[16]) noexcept {
    return _mm_load_si128(reinterpret_cast<__m128i const*>(of));
}

/// Not zero where `bytes` and what came before them are wrong.
[[nodiscard, gnu::target("ssse3")]] inline __m128i utf8_errors_in(__m128i bytes,
                                                                  __m128i before) noexcept {
    auto const low_half = _mm_set1_epi8(0x0F);
    auto const back_1 = _mm_alignr_epi8(bytes, before, 15);
    auto const back_2 = _mm_alignr_epi8(bytes, before, 14);
    auto const back_3 = _mm_alignr_epi8(bytes, before, 13);
    auto const first_high = _mm_shuffle_epi8(utf8_table(utf8_errors::by_first_high),
                                             _mm_and_si128(_mm_srli_epi16(back_1, 4), low_half));
    auto const first_low =
        _mm_shuffle_epi8(utf8_table(utf8_errors::by_first_low), _mm_and_si128(back_1, low_half));
    auto const second_high = _mm_shuffle_epi8(utf8_table(utf8_errors::by_second_high),
                                              _mm_and_si128(_mm_srli_epi16(bytes, 4), low_half));
    auto const pairs = _mm_and_si128(_mm_and_si128(first_high, first_low), second_high);
    // The top bit stays set after subtracting only where a longer code point goes on.
    auto const third = _mm_subs_epu8(back_2, _mm_set1_epi8(0xE0 - 0x80));
    auto const fourth = _mm_subs_epu8(back_3, _mm_set1_epi8(0xF0 - 0x80));
    auto const goes_on =
        _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8(static_cast<char>(0x80)));
    return _mm_xor_si128(pairs, goes_on);
}

/// Whether text that begins between two code points has no error, taken in whole blocks; that its
/// last code point goes on behind it is none. O(bytes).
/// @param bytes  a multiple of `utf8_block_bytes`
[[nodiscard, gnu::target("ssse3")]] inline bool are_utf8_blocks(char const* text,
                                                                std::size_t bytes) noexcept {
    auto errors = _mm_setzero_si128();
    auto before = _mm_setzero_si128();
    for (char const* const end = text + bytes; text != end; text += utf8_block_bytes) {
        auto const* const at = reinterpret_cast<__m128i const*>(text);
        auto const a = _mm_loadu_si128(at);
        auto const b = _mm_loadu_si128(at + 1);
        auto const c = _mm_loadu_si128(at + 2);
        auto const d = _mm_loadu_si128(at + 3);
        errors = _mm_or_si128(errors, utf8_errors_in(a, before));
        auto const any = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
        // ASCII behind ASCII has no errors.
        if (_mm_movemask_epi8(any) != 0) {
            errors = _mm_or_si128(errors, utf8_errors_in(b, a));
            errors = _mm_or_si128(errors, utf8_errors_in(c, b));
            errors = _mm_or_si128(errors, utf8_errors_in(d, c));
        }
        before = d;
    }
    return _mm_movemask_epi8(_mm_cmpeq_epi8(errors, _mm_setzero_si128())) == 0xFFFF;
}

#elif defined(__GNUC__) && defined(__aarch64__)

[[nodiscard]] constexpr bool has_utf8_blocks() noexcept { return true; }

[[nodiscard]] inline uint8x16_t utf8_errors_in(uint8x16_t bytes, uint8x16_t before) noexcept {
    auto const back_1 = vextq_u8(before, bytes, 15);
    auto const back_2 = vextq_u8(before, bytes, 14);
    auto const back_3 = vextq_u8(before, bytes, 13);
    auto const first_high = vqtbl1q_u8(vld1q_u8(utf8_errors::by_first_high), vshrq_n_u8(back_1, 4));
    auto const first_low =
        vqtbl1q_u8(vld1q_u8(utf8_errors::by_first_low), vandq_u8(back_1, vdupq_n_u8(0x0F)));
    auto const second_high =
        vqtbl1q_u8(vld1q_u8(utf8_errors::by_second_high), vshrq_n_u8(bytes, 4));
    auto const pairs = vandq_u8(vandq_u8(first_high, first_low), second_high);
    auto const third = vqsubq_u8(back_2, vdupq_n_u8(0xE0 - 0x80));
    auto const fourth = vqsubq_u8(back_3, vdupq_n_u8(0xF0 - 0x80));
    return veorq_u8(pairs, vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(0x80)));
}

[[nodiscard]] inline bool are_utf8_blocks(char const* text, std::size_t bytes) noexcept {
    auto errors = vdupq_n_u8(0);
    auto before = vdupq_n_u8(0);
    for (char const* const end = text + bytes; text != end; text += utf8_block_bytes) {
        auto const* const at = reinterpret_cast<unsigned char const*>(text);
        auto const a = vld1q_u8(at);
        auto const b = vld1q_u8(at + 16);
        auto const c = vld1q_u8(at + 32);
        auto const d = vld1q_u8(at + 48);
        errors = vorrq_u8(errors, utf8_errors_in(a, before));
        if (vmaxvq_u8(vorrq_u8(vorrq_u8(a, b), vorrq_u8(c, d))) >= 0x80) {
            errors = vorrq_u8(errors, utf8_errors_in(b, a));
            errors = vorrq_u8(errors, utf8_errors_in(c, b));
            errors = vorrq_u8(errors, utf8_errors_in(d, c));
        }
        before = d;
    }
    return vmaxvq_u8(errors) == 0;
}

#else

// Elsewhere the validator goes byte by byte.
[[nodiscard]] constexpr bool has_utf8_blocks() noexcept { return false; }
[[nodiscard]] constexpr bool are_utf8_blocks(char const*, std::size_t) noexcept { return false; }

#endif

} // namespace livetape::detail
