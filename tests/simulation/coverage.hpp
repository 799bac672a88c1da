#pragma once

#include <cstdint>
#include <utility>

namespace livetape::simulation {

/// How often a run met what: a run that meets something never proves nothing about it.
struct coverage {
    std::uint64_t events = 0, gaps = 0, epoch_gaps = 0, snapshots = 0, recoveries = 0, cuts = 0,
                  partial_writes = 0, given_back = 0, answers = 0, empty_answers = 0, trailers = 0,
                  heartbeats = 0, stalls = 0, overruns = 0, refusals = 0, deferred = 0,
                  unsubscriptions = 0, changes = 0, changes_by_command = 0, credits = 0, stats = 0,
                  histories = 0, histories_by_get = 0, unchanged_histories = 0,
                  publishes_by_post = 0, publishes_of_bytes = 0, duplicates = 0, merged = 0,
                  flushed = 0, asked_for = 0, copied = 0, patterns = 0, late_channels = 0,
                  take_overs = 0, conflated = 0, deaths_in_callback = 0, lives = 0, joins = 0,
                  expiries = 0, presence_asked = 0, closed = 0, ends = 0, next_lives = 0,
                  dropped = 0, quiet_checks = 0;

    /// Calls `visit(name, count)` for each.
    template <class Visit>
    void for_each(Visit&& visit) const {
        visit("events delivered", events);
        visit("gaps by retention", gaps);
        visit("gaps by another epoch", epoch_gaps);
        visit("snapshots", snapshots);
        visit("cursors recovered", recoveries);
        visit("connections cut", cuts);
        visit("writes cut", partial_writes);
        visit("events given back by a cut write", given_back);
        visit("polls answered", answers);
        visit("polls answered with nothing", empty_answers);
        visit("cursors after a flush", trailers);
        visit("heartbeats", heartbeats);
        visit("stalled clients", stalls);
        visit("connections ended by an overrun", overruns);
        visit("cursors refused", refusals);
        visit("commands deferred behind a write", deferred);
        visit("unsubscriptions", unsubscriptions);
        visit("changes of what is delivered", changes);
        visit("changes of what is delivered, by a command", changes_by_command);
        visit("credits given by a command", credits);
        visit("counts asked for", stats);
        visit("histories asked for", histories);
        visit("histories asked for by GET", histories_by_get);
        visit("histories that have not changed", unchanged_histories);
        visit("publishes by POST", publishes_by_post);
        visit("bytes published by clients", publishes_of_bytes);
        visit("publishes made twice", duplicates);
        visit("events that may be merged", merged);
        visit("events flushed by a timer", flushed);
        visit("flushes for somebody who goes on after them", asked_for);
        visit("events copied", copied);
        visit("patterns subscribed to", patterns);
        visit("channels that came to a pattern", late_channels);
        visit("channels of patterns named", take_overs);
        visit("events that stand for several", conflated);
        visit("sessions destroyed in their callback", deaths_in_callback);
        visit("lives of the server", lives);
        visit("who came to a channel", joins);
        visit("members who did not poll again", expiries);
        visit("presence asked for", presence_asked);
        visit("channels closed", closed);
        visit("ends of channels told", ends);
        visit("channels that begin anew while the end is read", next_lives);
        visit("idle channels dropped", dropped);
        visit("checks at rest", quiet_checks);
    }
};

} // namespace livetape::simulation
