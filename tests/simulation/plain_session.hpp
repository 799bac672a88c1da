#pragma once

#include <livetape/channel/encoding.hpp>
#include <livetape/channel/subscriber.hpp>
#include <livetape/json_text.hpp>
#include <livetape/transport/outbox.hpp>
#include <livetape/transport/session.hpp>
#include <livetape/wire/base64.hpp>
#include <livetape/wire/frame_header.hpp>

#include "any_session.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace livetape::simulation {

/// Called while an event is encoded: the innermost place where a publish may come between.
inline void (*during_encode)(void* world) = nullptr;
inline void* during_encode_world = nullptr;

/// The envelope in a text frame.
struct plain_encoder {
    static void encode(event_view const& event, std::string& out) {
        if (during_encode != nullptr) during_encode(during_encode_world);
        std::string text = "{\"channel\":\"" + std::string{event.channel} +
                           "\",\"offset\":" + std::to_string(event.offset);
        if (!event.key.empty()) text.append(",\"key\":\"").append(event.key) += '"';
        if (event.count > 1) text += ",\"count\":" + std::to_string(event.count);
        if (event.kind == payload_kind::json) {
            text.append(",\"data\":").append(event.payload);
        } else if (event.kind == payload_kind::text) {
            text.append(",\"data\":\"").append(event.payload) += '"';
        } else {
            text += ",\"data64\":\"";
            append_base64(text, event.payload);
            text += '"';
        }
        websocket::append_frame(out, websocket::opcode::text, text += '}');
    }
    static std::size_t overhead(event_view const&) { return 60; }
};

/// A transport as a host may write one: nothing but the cursors and the outbox. It is commanded by
/// calls, so everything that a subscriber can choose is reached without a protocol.
class plain_session final : public any_session {
public:
    explicit plain_session(dispatcher& wakes) : cursors_{wakes} {}

    void feed(std::span<char>) override {}
    void end_of_input() override { end_ = session_end::abort; }
    void gather(write_batch& batch) override {
        auto const report = [this](auto const& missed) {
            if (missed.is_end) return report_end(*missed.of);
            auto const text = gap_text(missed.of->source().name(), missed.range);
            websocket::append_frame(out_.lane(), websocket::opcode::text, text);
            return true;
        };
        out_.gather(batch, cursors_, report);
        out_.begin_write(batch, virtual_now);
    }
    void settle(write_batch& batch, std::size_t written) override {
        out_.settle(batch, written, virtual_now);
    }
    time_point wake() override { return never; }
    [[nodiscard]] session_end end() const override { return end_; }
    subscriber& cursors() override { return cursors_; }

private:
    bool report_end(subscription& ended) {
        auto const at = ended.reached();
        auto const text = "{\"unsubscribed\":\"" + std::string{ended.source().name()} +
                          "\",\"cursor\":\"" + position_text(at.epoch, at.offset) +
                          "\",\"reason\":\"closed\"}";
        websocket::append_frame(out_.lane(), websocket::opcode::text, text);
        cursors_.remove(ended);
        return true;
    }

    outbox out_;
    subscriber cursors_;
    session_end end_ = session_end::none;
};

} // namespace livetape::simulation
