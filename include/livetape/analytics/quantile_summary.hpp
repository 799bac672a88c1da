#pragma once

namespace livetape {

/// What a window says of the spread of its values; NaN everywhere if it had none.
struct quantile_summary {
    double min;
    double median;
    double p90;
    double p99;
    double max;
};

template <class Sketch>
[[nodiscard]] quantile_summary summarize_quantiles(Sketch const& sketch) {
    return {sketch.min(), sketch.quantile(0.5), sketch.quantile(0.9), sketch.quantile(0.99),
            sketch.max()};
}

} // namespace livetape
