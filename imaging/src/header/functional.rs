//! Attributes of one frame, wherever the object keeps them.
//!
//! Enhanced objects (PS3.3 C.7.6.16) say what holds for a frame in its own functional group, else in the
//! shared one; classic objects say it at the top. One view over all three places, asked in that order.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::value::{item, items};

/// One frame of an object.
#[derive(Clone, Copy)]
pub(super) struct FrameView<'a> {
    root: &'a InMemDicomObject,
    shared: Option<&'a InMemDicomObject>,
    own: Option<&'a InMemDicomObject>,
    /// From 0.
    pub index: usize,
}

impl<'a> FrameView<'a> {
    pub(super) fn new(root: &'a InMemDicomObject, index: usize) -> Self {
        Self {
            root,
            shared: item(root, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE),
            own: items(root, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).get(index),
            index,
        }
    }

    /// Whether the object has functional groups at all.
    pub(super) fn enhanced(&self) -> bool {
        self.shared.is_some() || self.own.is_some()
    }

    /// The macro's item for this frame, else the shared one, else none.
    pub(super) fn group(&self, sequence: Tag) -> Option<&'a InMemDicomObject> {
        self.own.and_then(|o| item(o, sequence)).or_else(|| self.shared.and_then(|o| item(o, sequence)))
    }

    /// The data set that holds an attribute: the macro's item if it has it, else the top level.
    pub(super) fn holder(&self, sequence: Tag, tag: Tag) -> &'a InMemDicomObject {
        match self.group(sequence) {
            Some(group) if group.get(tag).is_some() => group,
            _ => self.root,
        }
    }
}
