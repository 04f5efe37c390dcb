//! How the images of a series were acquired, as far as a measurement has to know it.
//!
//! Measurements judge a series by these facts (tube voltage, thickness, contrast, gating); they are kept as
//! values and not as texts for people, so that a warning can name them.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::{Deserialize, Serialize};

use super::FrameHeader;
use super::value::{items, number, text};

/// Facts of the acquisition. What no header says is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acquisition {
    /// KVP (0018,0060), each value once, ascending.
    pub kvp: Vec<f64>,
    /// Slice Thickness (0018,0050), each value once, ascending.
    pub slice_thickness_mm: Vec<f64>,
    /// Echo Time (0018,0081) or Effective Echo Time (0018,9082) above 0, each value once, ascending.
    pub echo_time_ms: Vec<f64>,
    /// Contrast/Bolus Agent (0018,0010), or that there is a sequence (0018,0012) of them.
    pub contrast_agent: Option<String>,
    /// The attribute that says the acquisition was synchronised with the heart, with its value.
    pub gating: Option<String>,
    /// (0008,0008)
    pub image_type: Vec<String>,
}

/// Attributes that only a gated acquisition carries (PS3.3 C.7.6.18).
const GATING: [(Tag, &str); 6] = [
    (tags::TRIGGER_TIME, "Trigger Time (0018,1060)"),
    (tags::NOMINAL_INTERVAL, "Nominal Interval (0018,1062)"),
    (tags::LOW_RR_VALUE, "Low R-R Value (0018,1081)"),
    (tags::HEART_RATE, "Heart Rate (0018,1088)"),
    (tags::NOMINAL_PERCENTAGE_OF_CARDIAC_PHASE, "Nominal Percentage of Cardiac Phase (0020,9241)"),
    (tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME, "Nominal Cardiac Trigger Delay Time (0020,9153)"),
];

impl Acquisition {
    pub(super) fn read(object: &InMemDicomObject, image_type: &[String], frames: &[FrameHeader]) -> Self {
        let sequence = tags::CONTRAST_BOLUS_AGENT_SEQUENCE;
        let mut out = Self {
            contrast_agent: text(object, tags::CONTRAST_BOLUS_AGENT)
                .or_else(|| (!items(object, sequence).is_empty()).then(|| "named by a code".to_owned())),
            gating: gating(object),
            image_type: image_type.to_vec(),
            ..Self::default()
        };
        for frame in frames {
            insert(&mut out.kvp, frame.kvp);
            insert(&mut out.slice_thickness_mm, frame.slice_thickness_mm);
            insert(&mut out.echo_time_ms, frame.echo_time_ms.filter(|te| *te > 0.0));
        }
        out
    }

    /// Takes in what another image of the series says.
    pub fn merge(&mut self, other: &Self) {
        for (list, others) in [
            (&mut self.kvp, &other.kvp),
            (&mut self.slice_thickness_mm, &other.slice_thickness_mm),
            (&mut self.echo_time_ms, &other.echo_time_ms),
        ] {
            others.iter().for_each(|v| insert(list, Some(*v)));
        }
        self.contrast_agent = self.contrast_agent.take().or_else(|| other.contrast_agent.clone());
        self.gating = self.gating.take().or_else(|| other.gating.clone());
        if self.image_type.is_empty() {
            self.image_type.clone_from(&other.image_type);
        }
    }
}

/// Keeps a list ascending and without repetitions.
fn insert(list: &mut Vec<f64>, value: Option<f64>) {
    if let Some(value) = value
        && let Err(at) = list.binary_search_by(|v| v.total_cmp(&value))
    {
        list.insert(at, value);
    }
}

fn gating(object: &InMemDicomObject) -> Option<String> {
    let named = GATING.iter().find_map(|(tag, name)| {
        // Zero is what some scanners write where nothing was measured.
        number(object, *tag).filter(|v| *v > 0.0).map(|v| format!("{name} = {v}"))
    });
    // PS3.3 C.7.6.18.1: NONE, REALTIME, PROSPECTIVE, RETROSPECTIVE, PACED.
    let technique = || {
        text(object, tags::CARDIAC_SYNCHRONIZATION_TECHNIQUE)
            .filter(|t| t != "NONE")
            .map(|t| format!("Cardiac Synchronization Technique (0018,9037) = {t}"))
    };
    // Scan Options (0018,0022) has no defined terms for CT; these words are what vendors write there.
    let options = || {
        text(object, tags::SCAN_OPTIONS)
            .filter(|t| ["ECG", "CARDIAC", "GAT", "TRIG"].iter().any(|w| t.to_uppercase().contains(w)))
            .map(|t| format!("Scan Options (0018,0022) = {t}"))
    };
    named.or_else(technique).or_else(options)
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    fn object(elements: &[(Tag, VR, &str)]) -> InMemDicomObject {
        InMemDicomObject::from_element_iter(
            elements.iter().map(|(tag, vr, v)| DataElement::new(*tag, *vr, PrimitiveValue::from(*v))),
        )
    }

    #[test]
    fn gating_is_what_some_attribute_says_and_nothing_else() {
        assert_eq!(gating(&object(&[])), None);
        assert_eq!(gating(&object(&[(tags::TRIGGER_TIME, VR::DS, "0")])), None);
        assert_eq!(gating(&object(&[(tags::SCAN_OPTIONS, VR::CS, "HELICAL MODE")])), None);
        assert_eq!(gating(&object(&[(tags::CARDIAC_SYNCHRONIZATION_TECHNIQUE, VR::CS, "NONE")])), None);
        let gated = gating(&object(&[(tags::HEART_RATE, VR::IS, "62")]));
        assert_eq!(gated.as_deref(), Some("Heart Rate (0018,1088) = 62"));
        assert!(gating(&object(&[(tags::SCAN_OPTIONS, VR::CS, "CARDIAC_GATED")])).is_some());
    }

    #[test]
    fn values_are_kept_once_and_in_order() {
        let frame = |kvp, mm| FrameHeader {
            kvp: Some(kvp),
            slice_thickness_mm: Some(mm),
            echo_time_ms: Some(mm - 1.5),
            ..Default::default()
        };
        let mut a = Acquisition::read(&object(&[]), &[], &[frame(120.0, 3.0), frame(100.0, 3.0)]);
        let contrast = object(&[(tags::CONTRAST_BOLUS_AGENT, VR::LO, "Iohexol")]);
        a.merge(&Acquisition::read(&contrast, &["ORIGINAL".into()], &[frame(120.0, 1.5)]));
        assert_eq!((a.kvp, a.slice_thickness_mm), (vec![100.0, 120.0], vec![1.5, 3.0]));
        assert_eq!(a.echo_time_ms, [1.5], "0 is what some scanners write where there is none");
        assert_eq!(a.contrast_agent.as_deref(), Some("Iohexol"));
        assert_eq!(a.image_type, ["ORIGINAL"]);
    }
}
