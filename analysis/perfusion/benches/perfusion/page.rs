//! docs/perfusion.md and its figures, from the numbers of one run.
//!
//! What a method cannot do better is said beside the numbers, with who found it.

use std::fmt::Write as _;

use phantom::perfusion as head;
use serde_json::{Value, json};

use crate::plot::{Dot, dots};
use crate::{Failure, VOXELS};

/// What became of one curve.
pub struct Recovered {
    /// With its variant.
    pub method: &'static str,
    /// Flow, transit time, delay.
    pub truth: [f64; 3],
    /// Standard deviation.
    pub noise_hu: f64,
    /// %
    pub cbf_bias: f64,
    /// % of the truth
    pub cbf_sd: f64,
    /// %
    pub cbv_bias: f64,
    /// % of the truth
    pub cbv_sd: f64,
}

impl Recovered {
    /// For the record.
    pub fn json(&self) -> Value {
        let [cbf, mtt_s, delay_s] = self.truth;
        json!({
            "method": self.method, "cbf": cbf, "mtt_s": mtt_s, "delay_s": delay_s, "noise_hu": self.noise_hu,
            "cbf_bias_percent": self.cbf_bias, "cbf_sd_percent": self.cbf_sd, "cbv_bias_percent": self.cbv_bias,
        })
    }
}

/// Of one run.
pub struct Content {
    /// Table of what was recovered.
    pub text: String,
    /// The same with dispersion.
    pub dispersion: String,
    /// Regions by noise and smoothing.
    pub noise: String,
    /// Rows of the first table.
    pub recovery: Vec<Recovered>,
    /// Timings.
    pub speed: Vec<Value>,
    /// Of the machine.
    pub threads: usize,
}

const INHERENT: &str = "\
## What is the method's and what is ours

- Truncation of singular values is a low-pass filter: the residue function of short transit times loses a third of its peak, that of long ones less, and the peak comes one or two samples late. The rows without noise show it; it is the published bias of truncated SVD (Oestergaard 1996, Wu 2003; Fieselmann 2011, section 4), and less truncation trades it for noise. No correction is applied: foreign codes at the same truncation give the same numbers (docs/verification.md).
- CBF is the highest of many samples, so noise raises it, by the same amount whatever the flow: low flow at high noise is worst, and Tmax of such voxels is anywhere. That is why CT is smoothed by default, as much as its noise asks for (`--smooth-mm` decides otherwise); or choose `osvd`, whose limit on oscillation trades this for more low-pass.
- A record that ends before late tissue has washed out lacks area: CBV of the row with 5 s of delay and 11 s of transit is 3 % too low.
- The sum of Lucy-Richardson's residue function counts negative noise as 0: its CBV rises with noise. `--cbv-from areas` takes the ratio of areas instead; the default is the sum, which the reference tables of others have.
- Dispersion between artery and tissue cannot be told from slow transit by any method here: CBF falls, Tmax and MTT rise, CBV stays (Calamante 2000). A more local artery is the remedy.
- On the sample phantom (`analysis/perfusion/tests/sample.rs`) the true curve through the same artery and method is held against the maps: the mean curve of every region gives the method's flow within 8 %, CBV lies within 3 % and 0.05 ml/100 g of what the record holds, and Tmax within 2.5 s. Vessels neither give to nor take from the smoothing: before, an artery beside white matter in the penumbra raised its flow by a third.
";

/// Writes page and figures.
pub fn write(content: &Content) -> Result<(), Failure> {
    let docs = testbed::checkout().join("docs");
    let mut page = format!(
        "# Perfusion: what each method recovers\n\nWritten by `cargo bench -p perfusion --bench perfusion -- --docs`; do not edit. {VOXELS} curves per row: the artery of the perfusion phantom (peak {} HU, known), an exponential residue function, 60 samples of 1 s, normal noise. Default settings. Bias and standard deviation are those of single voxels. Research use only.\n\n![Bias and standard deviation of CBF](images/perfusion-cbf.svg)\n\n![Bias and standard deviation of CBV](images/perfusion-cbv.svg)\n\n{INHERENT}\n## Without dispersion\n\n{}\n## With dispersion\n\nThe artery reaches the tissue through the gamma kernel `t / tau^2 exp(-t / tau)`, whose mean is `2 tau`.\n\n{}\n## Noise, smoothing and regions\n\nThe head phantom (1.7 x 1.7 x 5 mm) with white noise, csvd. The first row is what the method gives of the truth. By default CT is smoothed until contrast is 12 times the noise that is left, by 3 mm at most; the check fails below 8.\n\n{}",
        head::AIF_PEAK_HU,
        content.text,
        content.dispersion,
        content.noise
    );
    let figure = |title: &str, value: fn(&Recovered) -> [f64; 2], range| {
        let kinds = crate::TRUTHS.map(|[cbf, mtt, delay]| format!("CBF {cbf}, MTT {mtt} s, delay {delay} s"));
        let shown: Vec<Dot> = content
            .recovery
            .iter()
            .map(|r| Dot {
                group: format!("{} HU\n{}", r.noise_hu, short(r.method)),
                kind: crate::TRUTHS.iter().position(|t| *t == r.truth).unwrap_or(0),
                value: value(r)[0],
                spread: value(r)[1],
            })
            .collect();
        dots(title, "bias %", &kinds, &shown, range, 25.0)
    };
    let title = |map| {
        format!(
            "Bias of {map} with its standard deviation, by method and noise in HU (values beyond the frame are drawn at its edge)"
        )
    };
    std::fs::write(
        docs.join("images/perfusion-cbf.svg"),
        figure(&title("CBF"), |r| [r.cbf_bias, r.cbf_sd], [-75.0, 175.0]),
    )?;
    std::fs::write(
        docs.join("images/perfusion-cbv.svg"),
        figure(&title("CBV"), |r| [r.cbv_bias, r.cbv_sd], [-75.0, 100.0]),
    )?;
    if !content.speed.is_empty() {
        page.push_str(&time(content)?);
        std::fs::write(docs.join("images/perfusion-time.svg"), cost(content))?;
    }
    std::fs::write(docs.join("perfusion.md"), page)?;
    Ok(())
}

fn short(method: &'static str) -> &'static str {
    match method {
        "lucy-richardson" => "LR",
        "lucy-richardson, CBV from areas" => "LR areas",
        "tikhonov" => "tik.",
        other => other,
    }
}

fn time(content: &Content) -> Result<String, Failure> {
    let mut out = format!(
        "\n## Time\n\nCPU, {} threads, best of two; milliseconds. The noise of 5 HU is smoothed by default, as the column says. The last three rows estimate motion, compute all voxels, and smooth nothing.\n\n![Time by size and method](images/perfusion-time.svg)\n\n| method | columns x rows x slices | frames | voxels computed | smoothed mm | motion | curves | vessels | maps | total |\n|---|---|---|---|---|---|---|---|---|---|\n",
        content.threads
    );
    for row in &content.speed {
        let ms = |name: &str| row["timings_ms"][name].as_f64().unwrap_or(0.0).round();
        let dims: Vec<String> = (0..3).map(|i| row["dims"][i].to_string()).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row["method"].as_str().unwrap_or(""),
            dims.join(" x "),
            row["frames"],
            row["voxels"],
            row["smoothed_mm"],
            ms("motion"),
            ms("curves"),
            ms("vessels"),
            ms("maps"),
            ms("total"),
        )?;
    }
    Ok(out)
}

/// Total time by size, a colour per method.
fn cost(content: &Content) -> String {
    let methods = perfusion::Method::ALL.map(|m| m.name().to_owned());
    let plain = content.speed.len().saturating_sub(3);
    let shown: Vec<Dot> = content.speed[..plain]
        .iter()
        .map(|row| Dot {
            group: format!(
                "{:.1} M voxels\n{} frames",
                row["voxels"].as_f64().unwrap_or(0.0) / 1e6,
                row["frames"]
            ),
            kind: methods.iter().position(|m| row["method"] == **m).unwrap_or(0),
            value: row["timings_ms"]["total"].as_f64().unwrap_or(0.0) / 1e3,
            spread: 0.0,
        })
        .collect();
    dots("Time of five maps on the CPU", "s", &methods, &shown, [0.0, 8.0], 1.0)
}
