#include <livetape/net/static_files.hpp>
#include <livetape/net/timing_wheel.hpp>
#include <livetape/wire/request_parser.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace livetape;
using namespace std::string_view_literals;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr auto tick = timing_wheel::tick_length;
time_point const start = time_point{} + seconds{1000};

/// A timer that counts how often it has fired, and then does what the test says.
struct counting_timer : wheel_timer {
    counting_timer() : wheel_timer{&counting_timer::expire} {}

    static void expire(wheel_timer& self) noexcept {
        auto& me = static_cast<counting_timer&>(self);
        ++me.fired;
        if (me.then) me.then();
    }

    int fired = 0;
    std::function<void()> then;
};

/// Moves the time on in small steps until the timer fires; the time since `start` then.
nanoseconds time_of_fire(timing_wheel& wheel, counting_timer const& timer, time_point from,
                         nanoseconds step) {
    for (auto now = from;; now += step) {
        wheel.advance(now);
        if (timer.fired > 0) return now - start;
    }
}

} // namespace

TEST_CASE("net/timing_wheel: fires never early and at most one tick late, also after many rounds") {
    for (nanoseconds const delay :
         {nanoseconds{1}, nanoseconds{milliseconds{1}}, nanoseconds{tick} - nanoseconds{1},
          nanoseconds{tick}, nanoseconds{tick} + nanoseconds{1}, nanoseconds{2 * tick},
          nanoseconds{seconds{25}}, nanoseconds{512 * tick} - nanoseconds{1},
          nanoseconds{512 * tick}, nanoseconds{512 * tick} + nanoseconds{1},
          nanoseconds{seconds{75}}, nanoseconds{seconds{3600}}}) {
        CAPTURE(delay.count());
        timing_wheel wheel{start};
        counting_timer timer;
        wheel.schedule(timer, start + delay);
        CHECK_FALSE(wheel.empty());
        auto const fired_at = time_of_fire(wheel, timer, start, milliseconds{10});
        CHECK(fired_at >= delay);
        CHECK(fired_at < delay + tick + milliseconds{10});
        CHECK(timer.fired == 1);
        CHECK(wheel.empty());
        CHECK_FALSE(timer.is_scheduled());
    }
}

TEST_CASE("net/timing_wheel: fires a deadline that has passed at the next tick") {
    timing_wheel wheel{start};
    wheel.advance(start + seconds{10});
    counting_timer timer;
    wheel.schedule(timer, start - seconds{5});
    wheel.advance(start + seconds{10});
    CHECK(timer.fired == 0);
    CHECK(wheel.next_tick() == start + seconds{10} + tick);
    wheel.advance(wheel.next_tick());
    CHECK(timer.fired == 1);
}

TEST_CASE("net/timing_wheel: fires what is due after a pause of any length, and nothing else") {
    for (auto const pause : {nanoseconds{tick}, nanoseconds{seconds{20}}, nanoseconds{512 * tick},
                             nanoseconds{seconds{300}}}) {
        CAPTURE(pause.count());
        timing_wheel wheel{start};
        std::vector<counting_timer> timers(100);
        for (std::size_t i = 0; i < timers.size(); ++i)
            wheel.schedule(timers[i], start + static_cast<int>(i) * seconds{5});
        wheel.advance(start + pause);
        for (std::size_t i = 0; i < timers.size(); ++i) {
            CAPTURE(i);
            CHECK(timers[i].fired == (static_cast<int>(i) * seconds{5} <= pause ? 1 : 0));
        }
    }
}

TEST_CASE("net/timing_wheel: moves and cancels timers") {
    timing_wheel wheel{start};
    counting_timer moved;
    counting_timer cancelled;
    wheel.schedule(moved, start + seconds{1});
    wheel.schedule(cancelled, start + seconds{1});
    CHECK(wheel.fires_by(moved, start + seconds{1}));
    CHECK(wheel.fires_by(moved, start + seconds{2}));
    CHECK_FALSE(wheel.fires_by(moved, start + milliseconds{900}));
    wheel.schedule(moved, start + seconds{2});
    wheel.cancel(cancelled);
    wheel.cancel(cancelled);
    CHECK_FALSE(wheel.fires_by(cancelled, start + seconds{9}));
    wheel.advance(start + milliseconds{1500});
    CHECK(moved.fired == 0);
    wheel.advance(start + seconds{5});
    CHECK(moved.fired == 1);
    CHECK(cancelled.fired == 0);
    CHECK(wheel.empty());
}

TEST_CASE(
    "net/timing_wheel: lets a timer schedule itself, cancel another and go away when it fires") {
    timing_wheel wheel{start};
    auto first = std::make_unique<counting_timer>();
    counting_timer second;
    counting_timer again;
    first->then = [&] {
        wheel.cancel(second);
        first.reset();
    };
    again.then = [&] {
        if (again.fired < 3) wheel.schedule(again, start);
    };
    wheel.schedule(*first, start + tick);
    wheel.schedule(second, start + tick);
    wheel.schedule(again, start + tick);
    wheel.advance(start + tick);
    CHECK_FALSE(first);
    CHECK(second.fired == 0);
    CHECK(again.fired == 1);
    wheel.advance(start + 2 * tick);
    wheel.advance(start + 10 * tick);
    CHECK(again.fired == 3);
    CHECK(wheel.empty());
}

TEST_CASE("net/timing_wheel: agrees with a map of deadlines under random operations") {
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        std::mt19937 random{seed};
        timing_wheel wheel{start};
        std::vector<counting_timer> timers(50);
        std::map<std::size_t, time_point> deadlines;
        auto now = start;
        for (int step = 0; step < 2000; ++step) {
            CAPTURE(step);
            auto const i = random() % timers.size();
            switch (random() % 4) {
            case 0: {
                auto const at = now + milliseconds{random() % (random() % 8 == 0 ? 100'000 : 500)} -
                                milliseconds{50};
                wheel.schedule(timers[i], at);
                deadlines[i] = std::max(at, now);
                break;
            }
            case 1:
                wheel.cancel(timers[i]);
                deadlines.erase(i);
                break;
            default:
                now += milliseconds{random() % (random() % 50 == 0 ? 60'000 : 100)};
                wheel.advance(now);
                for (std::size_t n = 0; n < timers.size(); ++n) {
                    auto const found = deadlines.find(n);
                    if (found == deadlines.end()) {
                        REQUIRE(timers[n].fired == 0);
                    } else if (timers[n].fired > 0) {
                        REQUIRE(timers[n].fired == 1);
                        REQUIRE(now >= found->second);
                        timers[n].fired = 0;
                        deadlines.erase(found);
                    } else {
                        REQUIRE(now < found->second + tick);
                    }
                }
            }
            REQUIRE(wheel.empty() == deadlines.empty());
        }
    }
}

namespace {

/// A directory that goes away with the test.
class temporary_directory {
public:
    temporary_directory() {
        std::string name = (std::filesystem::temp_directory_path() / "livetape_XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~temporary_directory() { std::filesystem::remove_all(path_); }
    temporary_directory(temporary_directory const&) = delete;
    temporary_directory& operator=(temporary_directory const&) = delete;

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

    void write(std::string_view name, std::string_view text) const {
        auto const file = path_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file, std::ios::binary} << text;
    }

private:
    std::filesystem::path path_;
};

http::request_head request(std::string_view fields = {}) {
    auto const text = "GET / HTTP/1.1\r\nHost: test\r\n" + std::string{fields} + "\r\n";
    std::string_view rest = text;
    http::request_parser parser;
    REQUIRE(parser.feed(rest) == parse_status::done);
    return parser.release();
}

std::string_view value_of(http_reply const& reply, std::string_view name) {
    auto const at = reply.fields.find(std::string{name} + ": ");
    if (at == std::string::npos) return {};
    auto const begin = at + name.size() + 2;
    return std::string_view{reply.fields}.substr(begin, reply.fields.find("\r\n", begin) - begin);
}

} // namespace

TEST_CASE("net/static_files: knows media types by the end of the name") {
    CHECK(media_type_of("a.html") == "text/html; charset=utf-8");
    CHECK(media_type_of("a.min.js") == "text/javascript; charset=utf-8");
    CHECK(media_type_of("a.mjs") == "text/javascript; charset=utf-8");
    CHECK(media_type_of("a.css") == "text/css; charset=utf-8");
    CHECK(media_type_of("a.svg") == "image/svg+xml");
    CHECK(media_type_of("a.woff2") == "font/woff2");
    CHECK(media_type_of("a.wasm") == "application/wasm");
    CHECK(media_type_of("a") == "application/octet-stream");
    CHECK(media_type_of("html") == "application/octet-stream");
    CHECK(media_type_of("a.html.exe") == "application/octet-stream");
}

TEST_CASE("net/static_files: serves files and the index of directories") {
    temporary_directory site;
    site.write("index.html", "<root>");
    site.write("docs/index.html", "<docs>");
    site.write("docs/a b.txt", "text");
    site.write("empty/other.txt", "");
    site.write("zero.bin", std::string(3, '\0'));
    static_files const files{site.path()};
    auto const body = [&](std::string_view path) {
        auto const reply = files.find(path, request());
        return reply ? std::optional{reply->body} : std::nullopt;
    };
    CHECK(body("") == "<root>");
    CHECK(body("/") == "<root>");
    CHECK(body("/index.html") == "<root>");
    CHECK(body("docs") == "<docs>");
    CHECK(body("/docs/") == "<docs>");
    CHECK(body("/docs/a%20b.txt") == "text");
    CHECK(body("/docs%2fa%20b.txt") == "text");
    CHECK(body("/zero.bin") == std::string(3, '\0'));
    CHECK(body("//docs//index.html") == "<docs>");
    CHECK(body("/docs/../index.html") == "<root>");
    for (auto const missing :
         {"/missing", "/empty", "/empty/", "/index.html/", "/index.html/x", "/docs/missing"}) {
        CAPTURE(missing);
        CHECK_FALSE(body(missing));
    }

    auto const reply = files.find("/docs/", request());
    REQUIRE(reply);
    CHECK(reply->status == 200);
    CHECK(reply->content_type == "text/html; charset=utf-8");
    CHECK(value_of(*reply, "Cache-Control") == "no-cache");
    CHECK(value_of(*reply, "X-Content-Type-Options") == "nosniff");
}

TEST_CASE("net/static_files: serves nothing outside its directory") {
    temporary_directory outside;
    outside.write("secret.txt", "secret");
    outside.write("site/index.html", "inside");
    outside.write("site2/secret.txt", "secret");
    std::filesystem::create_symlink(outside.path() / "secret.txt",
                                    outside.path() / "site/link.txt");
    std::filesystem::create_directory_symlink(outside.path() / "site2",
                                              outside.path() / "site/folder");
    std::filesystem::create_symlink("index.html", outside.path() / "site/inner.txt");
    std::filesystem::create_symlink("loop", outside.path() / "site/loop");
    static_files const files{outside.path() / "site"};
    for (auto const path : {"/../secret.txt"sv,
                            "../secret.txt"sv,
                            "/%2e%2e/secret.txt"sv,
                            "/..%2fsecret.txt"sv,
                            "/%2e%2e%2fsecret.txt"sv,
                            "%2f%2e%2e%2fsecret.txt"sv,
                            "/x/../../secret.txt"sv,
                            "/../site2/secret.txt"sv,
                            "/link.txt"sv,
                            "/folder/secret.txt"sv,
                            "/loop"sv,
                            "/.."sv,
                            "/../"sv,
                            "/index.html%00"sv,
                            "/index.html%00.txt"sv,
                            "/%"sv,
                            "/%zz"sv,
                            "/%2"sv,
                            "/\\..\\secret.txt"sv,
                            "//etc/passwd"sv,
                            "/etc/passwd"sv,
                            "/%2fetc%2fpasswd"sv}) {
        CAPTURE(path);
        CHECK_FALSE(files.find(path, request()));
    }
    CHECK_FALSE(files.find("/" + outside.path().string() + "/secret.txt", request()));
    CHECK_FALSE(files.find("/" + std::string(5000, 'a'), request()));
    CHECK(files.find("/inner.txt", request())->body == "inside");
    CHECK(files.find("/../site/index.html", request())->body == "inside");
    CHECK_THROWS_AS(static_files{outside.path() / "missing"}, std::system_error);
}

TEST_CASE("net/static_files: answers 304 to who has the file already [RFC 9110 13.1.2]") {
    temporary_directory site;
    site.write("a.txt", "one");
    static_files const files{site.path()};
    auto const first = files.find("/a.txt", request());
    REQUIRE(first);
    std::string const tag{value_of(*first, "ETag")};
    REQUIRE(tag.size() > 2);
    auto const status_for = [&](std::string const& field) {
        return files.find("/a.txt", request("If-None-Match: " + field + "\r\n"))->status;
    };
    CHECK(status_for(tag) == 304);
    CHECK(status_for("W/" + tag) == 304);
    CHECK(status_for("\"other\", " + tag) == 304);
    CHECK(status_for("*") == 304);
    CHECK(status_for("\"other\"") == 200);
    CHECK(status_for(tag.substr(1)) == 200);
    auto const unchanged = files.find("/a.txt", request("If-None-Match: " + tag + "\r\n"));
    CHECK(value_of(*unchanged, "ETag") == tag);
    CHECK(unchanged->body.empty());

    site.write("a.txt", "longer");
    CHECK(status_for(tag) == 200);
}

TEST_CASE("net/reply: has a body and its length where a response may have one") {
    http_reply reply{200, "text/plain", "body", "X-Own: 1\r\n"};
    CHECK(detail::to_response(reply, "GET", true) ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: "
          "keep-alive\r\n"
          "X-Own: 1\r\n\r\nbody");
    CHECK(
        detail::to_response(reply, "HEAD", false) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n"
        "X-Own: 1\r\n\r\n");
    for (unsigned const status : {204u, 304u}) {
        reply.status = status;
        auto const response = detail::to_response(reply, "GET", true);
        CHECK(response.find("Content-Length") == std::string::npos);
        CHECK(response.ends_with("\r\n\r\n"));
    }
    auto const refusal = detail::to_refusal(error::not_found, "HEAD", true);
    CHECK(refusal.starts_with("HTTP/1.1 404 "));
    CHECK(refusal.ends_with("\r\n\r\n"));
    CHECK(refusal.find("Content-Length: 0\r\n") == std::string::npos);
}
