//! The figures as a page and a plot: docs/calcium-speed.md and docs/images/calcium-speed.svg.
//!
//! Written by the program that measured, so that no figure in the documents was typed.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;

const COLUMNS: [(&str, &str); 7] = [
    ("full score", "full_best_ms"),
    ("candidates", "candidates_best_ms"),
    ("label", "label_best_ms"),
    ("score", "score_best_ms"),
    ("conventions", "sensitivity_best_ms"),
    ("slider step", "rescore_best_ms"),
    ("re-score in full", "rescore_full_best_ms"),
];

/// Writes both files.
pub fn write(report: &Value) -> Result<(), super::Failure> {
    let root = testbed::checkout();
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(&root).output()?;
    let commit = String::from_utf8(commit.stdout)?;
    std::fs::write(root.join("docs/calcium-speed.md"), page(report, commit.trim()))?;
    std::fs::create_dir_all(root.join("docs/images"))?;
    std::fs::write(root.join("docs/images/calcium-speed.svg"), plot(report))?;
    Ok(())
}

fn rows<'a>(report: &'a Value, table: &str) -> impl Iterator<Item = &'a Value> {
    report[table].as_array().into_iter().flatten()
}

fn page(report: &Value, commit: &str) -> String {
    let mut out = String::from("# Speed of the calcium score\n\n");
    let _ = write!(
        out,
        "Written by `cargo bench -p calcium --bench calcium -- --docs` at commit {commit} on {} cores, CPU, with a load average of {} before it began; do not\nedit. Best of several runs in ms (the machine has other work), over int16 volumes of soft tissue with balls of calcium. The full score holds everything a report\nhas: Agatston, both volumes, lesions in 3D, and all conventions.\n",
        report["cores"], report["load_average_before"]
    );
    let _ = write!(
        out,
        "\n## Side by side\n\n512³, 1 % candidates, one run, the same volume. The peers are timed for mask, labels, area and peak of each\nslice (`bench/calcium_speed.py`); our candidates and labels do that work; our full score does more.\n\n| peer | ms | ours is faster by, same work | full score against it |\n|---|---|---|---|\n"
    );
    for (name, figures) in report["peers"].as_object().into_iter().flatten() {
        let ahead = |what: &str| {
            report["times_faster"][name][what].as_f64().map_or("-".to_owned(), |v| format!("{v:.1} ×"))
        };
        let _ = writeln!(
            out,
            "| {} | {:.0} | {} | {} |",
            name.replace('_', " "),
            figures["best_ms"].as_f64().unwrap_or(0.0),
            ahead("same_work"),
            ahead("full_score")
        );
    }
    let _ = writeln!(
        out,
        "| **ours, full score** | {:.0} | | |",
        report["ours"]["full_best_ms"].as_f64().unwrap_or(0.0)
    );
    out += "\n![Cost against size and share of candidates](images/calcium-speed.svg)\n";
    for (heading, table) in
        [("By size, 1 % candidates", "by_size_1_percent"), ("By share of candidates, 256³", "by_share_256")]
    {
        let names = COLUMNS.map(|c| c.0).join(" | ");
        let _ = write!(
            out,
            "\n## {heading}\n\n| side | candidates | components | {names} |\n|{}\n",
            "---|".repeat(10)
        );
        for row in rows(report, table) {
            let figures =
                COLUMNS.map(|c| format!("{:.1}", row[c.1].as_f64().unwrap_or(f64::NAN))).join(" | ");
            let _ = writeln!(
                out,
                "| {} | {} | {} | {figures} |",
                row["dims"][0], row["candidates"], row["components"]
            );
        }
    }
    out + &on_gpu(report)
}

/// What the GPU did, and which.
fn on_gpu(report: &Value) -> String {
    let adapter = &report["gpu"];
    let mut out = String::from("\n## On a GPU\n\n");
    let Some(name) = adapter["adapter"].as_str() else {
        return out + "No adapter was found on this machine.\n";
    };
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let copied = number(&adapter["copy_bytes_per_s"]);
    if adapter["software_adapter"] == true {
        out += "**A CPU plays the GPU here: these figures say that the kernels run, not how fast a GPU is.**\n\n";
    }
    let _ = write!(
        out,
        "{name}; self-check passed; every total equal to the CPU's. Wall time in ms with read-back, after the upload.\nCopying a buffer moves {:.1} GB/s here (read and write). The pass reads every voxel once (2 bytes).\n\n| side | share | upload | one pass | GB/s of the pass | full score | of it candidates | labels and measures | slider step | re-score in full |\n|{}\n",
        copied / 1e9,
        "---|".repeat(10)
    );
    let tables = ["by_size_1_percent", "by_share_256"].into_iter().flat_map(|t| rows(report, t));
    for row in std::iter::once(&report["ours"]).chain(tables).filter(|row| row["gpu"].is_object()) {
        let gpu = &row["gpu"];
        let voxels = number(&row["dims"][0]).powi(3);
        let _ = writeln!(
            out,
            "| {} | {:.2} % | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |",
            row["dims"][0],
            100.0 * number(&row["candidates"]) / voxels,
            number(&gpu["upload_ms"]),
            number(&gpu["pass_best_ms"]),
            number(&gpu["pass_bytes_per_s"]) / 1e9,
            number(&gpu["full_best_ms"]),
            number(&gpu["candidates_best_ms"]),
            number(&gpu["label_best_ms"]),
            number(&gpu["rescore_best_ms"]),
            number(&gpu["rescore_full_best_ms"]),
        );
    }
    out
}

/// Left edge, table, label, what is on the x axis, and its range.
type Panel<'a> = (f64, &'a str, &'a str, &'a dyn Fn(&Value) -> f64, [f64; 2]);

/// Two plots with logarithmic axes, each with the full score and a slider step.
fn plot(report: &Value) -> String {
    const SIDE: f64 = 300.0;
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 780 400\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"780\" height=\"400\" fill=\"white\"/>\n",
    );
    let voxels = |row: &Value| row["dims"][0].as_f64().unwrap_or(1.0).powi(3);
    let share = |row: &Value| 100.0 * row["candidates"].as_f64().unwrap_or(1.0) / voxels(row);
    let panels: [Panel; 2] = [
        (60.0, "by_size_1_percent", "voxels (1 % candidates)", &voxels, [1e6, 1e9]),
        (450.0, "by_share_256", "candidates in % (256³)", &share, [0.01, 100.0]),
    ];
    let [low, high]: [f64; 2] = [0.1, 1000.0];
    for (left, table, label, x_of, [from, to]) in panels {
        let px = |v: f64| left + SIDE * (v / from).log10() / (to / from).log10();
        let py = |v: f64| 330.0 - SIDE * (v.max(low) / low).log10() / (high / low).log10();
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"30\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#444\"/>"
        );
        for step in 0..=4 {
            let v = low * 10f64.powi(step);
            let _ = writeln!(
                out,
                "<path d=\"M{left} {y}h{SIDE}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{v}</text>",
                left - 6.0,
                py(v) + 4.0,
                y = py(v)
            );
        }
        let decades = (to / from).log10().round() as i32;
        for step in 0..=decades {
            let v = from * 10f64.powi(step);
            let _ = writeln!(
                out,
                "<path d=\"M{x} 330v-{SIDE}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"348\" text-anchor=\"middle\">{v}</text>",
                x = px(v)
            );
        }
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"372\" text-anchor=\"middle\">{label}</text>",
            left + SIDE / 2.0
        );
        for (name, field, colour, dash, offset) in [
            ("full score", "full_best_ms", "#0b5394", "", -8.0),
            ("slider step", "rescore_best_ms", "#b45f06", "6 4", 24.0),
        ] {
            let points: Vec<(f64, f64)> =
                rows(report, table).map(|r| (px(x_of(r)), py(r[field].as_f64().unwrap_or(low)))).collect();
            let list = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ");
            let _ = writeln!(
                out,
                "<polyline points=\"{list}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>"
            );
            for (x, y) in &points {
                let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
            }
            if let Some((x, y)) = points.last() {
                let _ = writeln!(
                    out,
                    "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{name} (ms)</text>",
                    x + 4.0,
                    y + offset
                );
            }
        }
    }
    out + "</svg>\n"
}
