//! The arguments of `isocenter perfusion`, and the session that they make.
//!
//! A saved session comes first and arguments change it, so a report can be run again with one thing different.

use std::path::{Path, PathBuf};

use perfusion::{AutoAif, CbvFrom, MaskWish, Matrix, Method, Motion, Session, Signal, Source, TtpOrigin};
use serde::Deserialize as _;

use super::Error;
use crate::backend::Backend;

/// What to compute and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders and zip archives with one dynamic series, or a 4D NIfTI file.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Which series, where there are several: its number in the message that says so.
    #[arg(long, value_name = "N")]
    pub series: Option<usize>,
    /// A report that was saved as JSON, or its `session` alone; other arguments change it.
    #[arg(long, value_name = "FILE.json")]
    session: Option<PathBuf>,
    /// What the voxels are: auto, ct, dsc or concentration.
    #[arg(long, value_parser = word::<Signal>)]
    signal: Option<Signal>,
    /// Echo time for DSC in ms, without it that of the files; two, with a comma, for dual echo.
    #[arg(long, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    te_ms: Vec<f64>,
    /// `k` of C = -(k / TE) ln(S / S0).
    #[arg(long, value_name = "K")]
    signal_factor: Option<f64>,
    /// Seconds between time points, instead of what the files say.
    #[arg(long, value_name = "S")]
    dt_s: Option<f64>,
    /// Frames of the baseline; found without it.
    #[arg(long, value_name = "N")]
    baseline_frames: Option<u32>,
    /// Artery: auto, mouridsen, peruzzo, column,row,slice, or a CSV file with time_s,value.
    #[arg(long, value_name = "A")]
    aif: Option<String>,
    /// Vein: auto, none, column,row,slice, or a CSV file with time_s,value.
    #[arg(long, value_name = "V")]
    vof: Option<String>,
    /// Around a given voxel the best one within this radius is taken.
    #[arg(long, value_name = "MM")]
    search_radius_mm: Option<f64>,
    /// Scale the artery by the vein's integral.
    #[arg(long)]
    partial_volume: bool,
    /// Divide by the gamma variate that was fitted to the artery.
    #[arg(long)]
    gamma_fit: bool,
    /// csvd, ssvd, osvd, tikhonov or lucy-richardson.
    #[arg(long, value_parser = word::<Method>)]
    method: Option<Method>,
    /// riemann or simpson.
    #[arg(long, value_parser = word::<Matrix>)]
    matrix: Option<Matrix>,
    /// Singular values below this share of the largest are dropped (csvd 0.1, ssvd 0.2).
    #[arg(long, value_name = "P")]
    truncation: Option<f64>,
    /// Limit of the oscillation index for osvd.
    #[arg(long, value_name = "O")]
    oscillation: Option<f64>,
    /// Tikhonov's lambda as a share of the largest singular value; without it, the L-curve of each voxel.
    #[arg(long, value_name = "L")]
    lambda: Option<f64>,
    /// Steps of lucy-richardson.
    #[arg(long, value_name = "N")]
    iterations: Option<u32>,
    /// What CBV is computed from: method (its own sum, where it has one) or areas (which noise does not raise).
    #[arg(long, value_parser = word::<CbvFrom>)]
    cbv_from: Option<CbvFrom>,
    /// (1 - hematocrit of large vessels) / (1 - hematocrit of small ones).
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    kh: Option<f64>,
    /// Density of tissue in g/ml.
    #[arg(long, value_name = "RHO", allow_negative_numbers = true)]
    density: Option<f64>,
    /// auto, none, or a NIfTI file on the same grid.
    #[arg(long, value_name = "M")]
    mask: Option<String>,
    /// Gaussian smoothing: its standard deviation, 0 for none. Without it CT is smoothed as its noise asks for.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    smooth_mm: Option<f64>,
    /// With smoothing: voxels that differ by more than this do not mix.
    #[arg(long, value_name = "HU")]
    bilateral_hu: Option<f64>,
    /// off, estimate, in_plane or rigid.
    #[arg(long, value_parser = word::<Motion>)]
    motion: Option<Motion>,
    /// Correct DSC for leakage (Boxerman-Schmainda-Weisskoff).
    #[arg(long)]
    leakage_correction: bool,
    /// From when TTP counts: arrival (at the artery) or start.
    #[arg(long, value_parser = word::<TtpOrigin>)]
    ttp_origin: Option<TtpOrigin>,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: Backend,
    /// Folder for cbf, cbv, mtt, ttp, tmax and mask as .nii.gz.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Also write the curves of artery and vein.
    #[arg(long, value_name = "F")]
    pub csv: Option<PathBuf>,
    /// Also write a summary as PDF.
    #[arg(long, value_name = "F")]
    pub pdf: Option<PathBuf>,
    /// Print this line on the PDF as identification (may be given more than once); without it none is shown.
    #[arg(long, value_name = "TEXT")]
    pub identify: Vec<String>,
    /// Print JSON; without it, a short summary.
    #[arg(long)]
    pub json: bool,
}

/// A word of the contract: the names that sessions have.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|e| e.to_string())
}

impl Args {
    /// What the arguments decide, over the session that was saved.
    pub fn session(&self) -> Result<Session, Error> {
        let mut s = match &self.session {
            Some(path) => saved(path)?,
            None => Session::default(),
        };
        s.signal = self.signal.unwrap_or(s.signal);
        if !self.te_ms.is_empty() {
            s.te_ms.clone_from(&self.te_ms);
        }
        s.signal_factor = self.signal_factor.unwrap_or(s.signal_factor);
        s.dt_s = self.dt_s.or(s.dt_s);
        s.baseline_frames = self.baseline_frames.or(s.baseline_frames);
        if let Some(given) = &self.aif {
            s.aif = vessel("artery", given, self.search_radius_mm)?;
        }
        if let Some(given) = &self.vof {
            s.vof = vessel("vein", given, self.search_radius_mm)?;
        }
        s.partial_volume |= self.partial_volume;
        s.gamma_fit |= self.gamma_fit;
        s.method = self.method.unwrap_or(s.method);
        s.matrix = self.matrix.unwrap_or(s.matrix);
        s.truncation = self.truncation.or(s.truncation);
        s.oscillation = self.oscillation.unwrap_or(s.oscillation);
        s.lambda = self.lambda.or(s.lambda);
        s.iterations = self.iterations.unwrap_or(s.iterations);
        s.cbv_from = self.cbv_from.unwrap_or(s.cbv_from);
        s.kh = self.kh.or(s.kh);
        s.density = self.density.unwrap_or(s.density);
        s.smooth_mm = self.smooth_mm.or(s.smooth_mm);
        s.bilateral_hu = self.bilateral_hu.or(s.bilateral_hu);
        s.motion = self.motion.unwrap_or(s.motion);
        s.leakage_correction |= self.leakage_correction;
        s.ttp_origin = self.ttp_origin.unwrap_or(s.ttp_origin);
        s.mask = match self.mask.as_deref() {
            None => s.mask,
            Some("auto") => MaskWish::Auto,
            Some("none") => MaskWish::None,
            Some(_) => MaskWish::Given,
        };
        Ok(s)
    }

    /// The file of the mask, where one was named.
    pub fn mask_path(&self) -> Option<&Path> {
        self.mask.as_deref().filter(|m| !matches!(*m, "auto" | "none")).map(Path::new)
    }
}

fn saved(path: &Path) -> Result<Session, Error> {
    let fail = |e: String| Error::Session(e);
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| fail(e.to_string()))?;
    Session::deserialize(value.get("session").unwrap_or(&value)).map_err(|e| fail(e.to_string()))
}

/// `auto`, a method, `none`, a voxel, or a file.
fn vessel(what: &'static str, given: &str, radius_mm: Option<f64>) -> Result<Source, Error> {
    match given {
        "auto" | "mouridsen" => return Ok(Source::Auto { by: AutoAif::Mouridsen }),
        "peruzzo" => return Ok(Source::Auto { by: AutoAif::Peruzzo }),
        "none" => return Ok(Source::None),
        _ => {}
    }
    let parts: Vec<Option<u32>> = given.split(',').map(|p| p.trim().parse().ok()).collect();
    if let [Some(x), Some(y), Some(z)] = parts[..] {
        return Ok(Source::Point { voxel: [x, y, z], radius_mm: radius_mm.unwrap_or(0.0) });
    }
    let fail = |why: String| Error::Vessel { what, given: given.to_owned(), why };
    let text = std::fs::read_to_string(given)
        .map_err(|e| fail(format!("it is no voxel (column,row,slice) and no file that can be read: {e}")))?;
    curve(&text).map_err(fail)
}

/// Lines of `time_s,value`; a first line of words is passed over.
fn curve(text: &str) -> Result<Source, String> {
    let (mut times_s, mut values) = (Vec::new(), Vec::new());
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    for (index, line) in lines {
        let cells: Vec<&str> = line.split([',', ';', '\t']).map(str::trim).collect();
        let numbers: Vec<Option<f64>> = cells.iter().map(|c| c.parse().ok()).collect();
        match numbers[..] {
            [Some(t), Some(v), ..] => {
                times_s.push(t);
                values.push(v);
            }
            _ if times_s.is_empty() && numbers.iter().all(Option::is_none) => {}
            _ => return Err(format!("line {} is {line:?}; time_s,value is needed.", index + 1)),
        }
    }
    if times_s.len() < 2 {
        return Err(format!(
            "it has {} points; at least two lines of time_s,value are needed.",
            times_s.len()
        ));
    }
    Ok(Source::Curve { times_s, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vessel_is_a_word_a_voxel_or_a_file() {
        assert_eq!(vessel("artery", "peruzzo", None).unwrap(), Source::Auto { by: AutoAif::Peruzzo });
        assert_eq!(
            vessel("artery", "12, 30,4", Some(5.0)).unwrap(),
            Source::Point { voxel: [12, 30, 4], radius_mm: 5.0 }
        );
        let error = vessel("artery", "no-such-file.csv", None).unwrap_err().to_string();
        assert!(error.contains("no-such-file.csv") && error.contains("column,row,slice"), "{error}");
    }

    #[test]
    fn a_curve_has_a_heading_or_none_and_no_other_words() {
        let want = Source::Curve { times_s: vec![0.0, 1.5], values: vec![2.0, -3.0] };
        for text in ["time_s,value\n0,2\n1.5,-3\n", "0;2\n\n1.5;-3", "# made by hand\n0\t2\n1.5\t-3\n"] {
            assert_eq!(curve(text).unwrap(), want);
        }
        assert!(curve("time_s,value\n0,2\n1,x\n").unwrap_err().contains("line 3"));
        assert!(curve("time_s,value\n0,2\n").unwrap_err().contains("1 points"));
    }
}
