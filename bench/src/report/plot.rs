// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Draws an experiment as SVG. It draws what was measured, and judges nothing.

use anyhow::Context as _;
use plotters::prelude::*;

use super::show;
use crate::{
    experiment::{Better, Outcome, Series},
    stats::quantile,
};

const WIDTH: u32 = 900;
const ROW: u32 = 46;
const LABELS: u32 = 230;
const MARGIN: u32 = 110;

/// An experiment as SVG: a bar up to each contender's median, a line over the middle half of its rounds, and a dot
/// for each round.
pub(super) fn plot(outcome: &Outcome) -> anyhow::Result<String> {
    let series: Vec<&Series> = outcome.series.iter().filter(|series| !series.rounds.is_empty()).collect();
    let rows = u32::try_from(series.len()).context("count the contenders")?;
    let most = series.iter().flat_map(|series| series.medians()).fold(0.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, MARGIN + ROW * rows.max(1))).into_drawing_area();
        area.fill(&WHITE).context("paint the background")?;
        let better = match outcome.better {
            Better::Less => "less is better",
            Better::More => "more is better",
        };
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("{} ({better})", outcome.title), ("sans-serif", 17))
            .margin(14)
            .x_label_area_size(34)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(0.0..most.max(f64::MIN_POSITIVE) * 1.08, f64::from(rows)..0.0)
            .context("lay out the axes")?;
        let mut mesh = chart.configure_mesh();
        let number = |value: &f64| show::value(*value, outcome.unit);
        mesh.disable_y_mesh()
            .disable_y_axis()
            .y_labels(0)
            .x_labels(6)
            .max_light_lines(0)
            .x_label_formatter(&number)
            .draw()
            .context("draw the axes")?;
        for (row, series) in (0_u32..).zip(&series) {
            let middle = f64::from(row) + 0.5;
            let rounds = series.medians();
            let color = if series.is_result() { color(&series.label) } else { RGBColor(190, 190, 190) };
            let bar = Rectangle::new([(0.0, middle - 0.3), (series.median(), middle + 0.3)], color.mix(0.55).filled());
            let half = PathElement::new(
                vec![(quantile(&rounds, 0.25), middle), (quantile(&rounds, 0.75), middle)],
                BLACK.stroke_width(2),
            );
            chart.draw_series([bar]).context("draw a bar")?;
            chart.draw_series([half]).context("draw the middle half")?;
            let dots = rounds
                .iter()
                .map(|value| Circle::new((*value, middle), 2, BLACK.mix(0.4).filled()));
            chart.draw_series(dots).context("draw the rounds")?;
            let noise = if series.is_result() { "" } else { " (noise)" };
            let label = format!("{}: {}{noise}", series.label, show::value(series.median(), outcome.unit));
            let (_, height) = chart.backend_coord(&(0.0, middle));
            area.draw_text(&label, &("sans-serif", 12).into_text_style(&area), (10, height - 6))
                .context("write a label")?;
        }
        area.present().context("finish the picture")?;
    }
    Ok(svg)
}

fn color(label: &str) -> RGBColor {
    match label.split(',').next() {
        Some("direct") => RGBColor(120, 120, 120),
        Some("iptables-legacy") => RGBColor(214, 96, 77),
        Some("iptables-nft") => RGBColor(244, 165, 82),
        Some("ebpf+accelerate") => RGBColor(27, 120, 55),
        _ => RGBColor(67, 147, 195),
    }
}
