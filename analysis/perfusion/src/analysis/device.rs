//! What a device is handed of the stage "curves", and what it hands back.
//!
//! The host finds the bolus, reads and moves frames and fills holes; a device smooths, gathers and converts.

use std::ops::Range;

use gpu_kernels::kernels::concentrate::Concentration;

use super::{Analysis, Error, echoes};
use crate::crop::Crop;
use crate::prepare::OnDevice;
use crate::series::Input;

impl Analysis {
    /// The stamp of the curves that are being made, and what a device needs for them; `None` where the host does all.
    pub(crate) fn curves_for_device(&mut self, input: &Input) -> Option<(u64, OnDevice)> {
        self.begin_curves(input);
        let (checked, preparing) = (self.checked.as_ref()?, self.preparing.as_ref()?);
        let echoes = echoes(input, checked);
        let work = preparing.on_device(&self.reading(input, checked, &echoes))?;
        Some((preparing.stamp, work))
    }

    /// The stamp of the curves that are being made.
    pub(crate) fn stamp_of_curves(&self) -> Option<u64> {
        self.preparing.as_ref().map(|p| p.stamp)
    }

    /// Some samples as frames of the box, and whether each is smoothed already.
    pub(crate) fn samples_for_device(
        &self,
        input: &Input,
        crop: &Crop,
        samples: Range<usize>,
    ) -> Vec<(Vec<f32>, bool)> {
        let (Some(checked), Some(preparing)) = (&self.checked, &self.preparing) else { return Vec::new() };
        let echoes = echoes(input, checked);
        preparing.samples_for_device(&self.reading(input, checked, &echoes), crop, samples)
    }

    /// Takes the curves of the next slab; the last one ends the stage.
    pub(crate) fn take_curves(&mut self, slab: &Concentration) -> Result<(), Error> {
        let (Some(checked), Some(mut preparing)) = (&self.checked, self.preparing.take()) else {
            return Ok(());
        };
        if preparing.take(slab, checked.timeline.dt_s) {
            return self.finish_curves(preparing);
        }
        self.preparing = Some(preparing);
        Ok(())
    }
}
