//! The figures of docs/perfusion.md as SVG: what each method recovers, and what it costs.
//!
//! A dot and a bar say more about bias and scatter than a table of sixty rows; both come from the same numbers.

use std::fmt::Write as _;

/// One dot with its bar.
pub struct Dot {
    /// Group along the axis; its lines stand below one another.
    pub group: String,
    /// Place within the group, and colour.
    pub kind: usize,
    /// Height.
    pub value: f64,
    /// Half of the bar.
    pub spread: f64,
}

/// Distinct for most eyes (Okabe and Ito 2008).
const COLOURS: [&str; 5] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const HEIGHT: f64 = 300.0;
const WIDTH: f64 = 900.0;

/// Dots with bars in groups; `range` of the axis, `every` a line.
pub fn dots(title: &str, unit: &str, kinds: &[String], dots: &[Dot], range: [f64; 2], every: f64) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for dot in dots {
        if !groups.contains(&dot.group.as_str()) {
            groups.push(&dot.group);
        }
    }
    let y = |v: f64| TOP + HEIGHT * (range[1] - v.clamp(range[0], range[1])) / (range[1] - range[0]);
    let wide = (WIDTH - LEFT - 10.0) / groups.len().max(1) as f64;
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n",
        TOP + HEIGHT + 75.0
    );
    let mut line = (range[0] / every).ceil() * every;
    while line <= range[1] {
        let dark = if line == 0.0 { "#444" } else { "#ddd" };
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"{dark}\"/>\n<text x=\"{1}\" y=\"{2:.1}\" text-anchor=\"end\">{line}</text>\n",
            y(line),
            LEFT - 6.0,
            y(line) + 4.0
        );
        line += every;
    }
    let _ = writeln!(
        out,
        "<text x=\"14\" y=\"{0}\" transform=\"rotate(-90 14 {0})\">{unit}</text>",
        TOP + HEIGHT / 2.0
    );
    for (g, group) in groups.iter().enumerate() {
        let x = LEFT + wide * (g as f64 + 0.5);
        for (line, text) in group.lines().enumerate() {
            let _ = writeln!(
                out,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>",
                TOP + HEIGHT + 16.0 + 15.0 * line as f64
            );
        }
        for dot in dots.iter().filter(|d| d.group == *group) {
            let at = x
                + (dot.kind as f64 - (kinds.len() as f64 - 1.0) / 2.0) * wide * 0.7
                    / kinds.len().max(1) as f64;
            let colour = COLOURS[dot.kind % COLOURS.len()];
            let _ = write!(
                out,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>\n<circle cx=\"{at:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"/>\n",
                y(dot.value - dot.spread),
                y(dot.value + dot.spread),
                y(dot.value)
            );
        }
    }
    for (i, kind) in kinds.iter().enumerate() {
        let x = LEFT + i as f64 * (WIDTH - LEFT) / kinds.len().max(1) as f64;
        let at = TOP + HEIGHT + 58.0;
        let colour = COLOURS[i % COLOURS.len()];
        let _ = write!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\"/>\n<text x=\"{:.1}\" y=\"{at:.1}\">{kind}</text>\n",
            x + 6.0,
            at - 4.0,
            x + 16.0
        );
    }
    out.push_str("</svg>\n");
    out
}
