//! Volumes and statistics as a table for spreadsheets.
//!
//! Units stand in the column names, and an absent number is an empty cell: a 0 would be read as a measurement.

use crate::labels::LabelVolume;
use crate::statistics::LabelStatistics;

/// In the last line of every table.
const RESEARCH_USE: &str = "Research use only. Not for diagnosis.,,,,,,,,";

/// RFC 4180, one line per label. `unit` is the image's; empty where it has none.
pub fn write(labels: &LabelVolume, statistics: &[LabelStatistics], unit: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("_{}", unit.to_lowercase()) };
    let mut out =
        format!("label,name,voxels,volume_ml,mean{unit},sd{unit},min{unit},max{unit},measured_voxels\r\n");
    for of in statistics {
        let name = labels.label(of.id).map_or("", |label| label.name.as_str());
        let number = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let values = of.values;
        let cells = [
            of.id.to_string(),
            quoted(name),
            of.voxels.to_string(),
            number(of.volume_ml),
            number(values.map(|v| v.mean)),
            number(values.map(|v| v.sd)),
            number(values.map(|v| v.min)),
            number(values.map(|v| v.max)),
            values.map_or(0, |v| v.measured).to_string(),
        ];
        out += &cells.join(",");
        out += "\r\n";
    }
    // Behind the rows, where a program that reads by the header's columns sees a row without a number.
    out + RESEARCH_USE + "\r\n"
}

/// Quotes where they are needed. A name that a spreadsheet would run as a formula is kept from it.
fn quoted(text: &str) -> String {
    let text =
        if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;
    use crate::statistics::Values;
    use scene::Grid;

    #[test]
    fn one_line_per_label_with_units_and_empty_cells() {
        let named = |id, name: &str| Label { name: name.into(), ..Label::numbered(id) };
        let described = vec![named(1, "Liver, \"left\""), named(3, "=SUM(A1)")];
        let labels = LabelVolume::new(Grid::picture(1, 1, 1).unwrap(), vec![0], described).unwrap();
        let values = Values { mean: 51.5, sd: 0.25, min: -3.0, max: 70.0, measured: 8 };
        let rows = [
            LabelStatistics { id: 1, voxels: 8, volume_ml: Some(0.125), values: Some(values) },
            LabelStatistics { id: 3, voxels: 0, volume_ml: None, values: None },
        ];
        let want = "label,name,voxels,volume_ml,mean_hu,sd_hu,min_hu,max_hu,measured_voxels\r\n\
                    1,\"Liver, \"\"left\"\"\",8,0.125,51.5,0.25,-3,70,8\r\n\
                    3,'=SUM(A1),0,,,,,,0\r\n\
                    Research use only. Not for diagnosis.,,,,,,,,\r\n";
        assert_eq!(write(&labels, &rows, "HU"), want);
        assert!(write(&labels, &rows, "").starts_with("label,name,voxels,volume_ml,mean,sd,"));
    }
}
