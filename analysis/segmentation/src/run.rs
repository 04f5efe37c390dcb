//! A model on an image: prepared, run, and its answer brought back as one label per voxel of the image.
//!
//! The one way for the page and for the command line; they differ in where the model comes from and in what they
//! tell while it runs.

use std::ops::ControlFlow;
use std::sync::Arc;

use contract::models::{Model, Size};
use imaging::Volume;
use inference::exec::{Exec, Given, Report, RunError, Session};
use inference::graph::{self, Dim, Graph, LoadError};
use inference::onnx::Limits;
use inference::tensor::ShapeError;
use inference::{DType, Data, Tensor, TensorInfo};

use crate::prepare::{self, Answer, PrepareError};

/// Why there are no labels.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file is no model that can be run.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// The image cannot be brought to the model.
    #[error("{0}")]
    Prepare(#[from] PrepareError),
    /// The model and its card contradict each other.
    #[error("The model has no {what} {name:?}; it has {has}. Correct its card.")]
    Card {
        /// Input or output.
        what: &'static str,
        /// As the card says it.
        name: String,
        /// As the file says it.
        has: String,
    },
    /// Without a card only one volume can be given to a model.
    #[error(
        "The model's inputs are {0}; without a card only a model with one volume as input can be run. Write a card."
    )]
    Inputs(String),
    /// Weights and activations, or an operator.
    #[error("{0}")]
    Run(#[from] RunError),
    /// An answer of a type that no label map is.
    #[error(
        "The model answered numbers of type {0}; scores in float32 or labels are expected. Correct its card."
    )]
    Type(&'static str),
    /// Sizes that contradict each other.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl SegmentError {
    /// Whether the device failed, so that another one may do it.
    pub const fn device_failed(&self) -> bool {
        matches!(self, Self::Run(RunError::Device { .. }))
    }
}

/// What a run is at, for who waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// The image is brought to the model's grid and values.
    Prepare,
    /// This part of the operators, 0 to 1, has run.
    Run(f64),
    /// The labels are brought back to the image's grid.
    Restore,
}

/// The labels and how they came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmented {
    /// One per voxel of one time point. Order: columns, rows, slices.
    pub voxels: Vec<u8>,
    /// Of the run.
    pub report: Report,
}

/// Reads a model.
///
/// # Errors
/// Files that are damaged, and operators that are not offered, by name.
pub fn load(bytes: &[u8]) -> Result<Arc<Graph>, SegmentError> {
    Ok(Arc::new(graph::load(bytes, &Limits::default())?))
}

/// The entry of this name, or the first where the card names none.
fn named<'a, T>(
    list: impl Iterator<Item = (&'a str, T)> + Clone,
    what: &'static str,
    name: &str,
) -> Result<(&'a str, T), SegmentError> {
    let found = list.clone().find(|(n, _)| name.is_empty() || *n == name);
    found.ok_or_else(|| {
        let has = list.map(|(n, _)| format!("{n:?}")).collect::<Vec<_>>().join(", ");
        SegmentError::Card { what, name: name.to_owned(), has }
    })
}

/// What [`Model::bare`] cannot know: the names and the size that the graph states, and how this image is indexed.
/// Other models are left as they are.
///
/// # Errors
/// A graph with another number of inputs than one, or with one that is no volume.
pub fn complete(model: &mut Model, graph: &Graph, volume: &Volume) -> Result<(), SegmentError> {
    if !model.is_bare() {
        return Ok(());
    }
    let told = || {
        let one = |input: &graph::Input| format!("{} {:?}", input.name, input.shape);
        SegmentError::Inputs(graph.inputs.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    let [input] = graph.inputs.as_slice() else { return Err(told()) };
    let geometry = &mut model.input.geometry;
    geometry.size = match input.shape.as_deref() {
        None => Size::MultipleOf([1; 3]),
        Some([_, channels, Dim::Fixed(d), Dim::Fixed(h), Dim::Fixed(w)])
            if !matches!(channels, Dim::Fixed(2..)) =>
        {
            Size::Fixed([*d as u32, *h as u32, *w as u32])
        }
        Some([_, channels, _, _, _]) if !matches!(channels, Dim::Fixed(2..)) => Size::MultipleOf([1; 3]),
        Some(_) => return Err(told()),
    };
    geometry.orientation = prepare::index_order(&volume.grid);
    model.input.name.clone_from(&input.name);
    if let Some((name, _)) = graph.outputs.first() {
        model.output.name.clone_from(name);
    }
    if let Some(variant) = model.variants.first_mut() {
        variant.opset = u32::try_from(graph.opset).unwrap_or(0);
    }
    Ok(())
}

/// A label for every voxel of one time point.
///
/// # Errors
/// See [`SegmentError`]; `tell` may stop the run.
pub async fn segment<E: Exec>(
    session: &mut Session<E>,
    volume: &Volume,
    time_index: u32,
    model: &Model,
    mut tell: impl FnMut(Stage) -> ControlFlow<()>,
) -> Result<Segmented, SegmentError> {
    let graph = Arc::clone(session.graph());
    let inputs = graph.inputs.iter().map(|i| (i.name.as_str(), ()));
    let (input, ()) = named(inputs, "input", &model.input.name)?;
    let outputs = graph.outputs.iter().map(|(name, _)| (name.as_str(), ()));
    let (output, ()) = named(outputs, "output", &model.output.name)?;
    // Scores of a volume are never held: the session hands back the class of the largest.
    let scores = prepare::answers_scores(&model.output) && !session.answer_labels(output);
    // Refused before anything is allocated for the run.
    let grid = prepare::grid(volume, time_index, &model.input)?;
    let shape = prepare::shape(&grid, &model.input);
    session.plan(&[TensorInfo { dtype: DType::F32, shape }])?;
    let mut go_on = |stage| if tell(stage).is_break() { Err(RunError::Stopped) } else { Ok(()) };
    go_on(Stage::Prepare)?;
    let budget = session.budget();
    let there = prepare::prepare_there(session.exec_mut(), budget, &grid, volume, time_index, &model.input);
    let given = match there.await? {
        Some((value, shape)) => Given::There(value, shape),
        None => {
            let prepared = prepare::prepare_on(grid.clone(), volume, time_index, &model.input)?;
            Given::Host(Tensor::new(prepared.shape, Data::F32(prepared.tensor))?)
        }
    };
    let (mut answers, report) = session
        .run_given(vec![(input.to_owned(), given)], |p| {
            match go_on(Stage::Run(p.done as f64 / p.all.max(1) as f64)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })
        .await?;
    go_on(Stage::Restore)?;
    let at = answers.iter().position(|(name, _)| name == output).unwrap_or(0);
    let (_, answer) = answers.swap_remove(at);
    let voxels = match (answer.data(), scores) {
        (Data::F32(scores), true) => {
            prepare::restore(Answer::Scores(scores), &grid, &model.output, &volume.grid)?
        }
        (data, false) => {
            let classes = classes(data).ok_or(SegmentError::Type(data.dtype().name()))?;
            prepare::restore(Answer::Classes(&classes), &grid, &model.output, &volume.grid)?
        }
        (data, true) => return Err(SegmentError::Type(data.dtype().name())),
    };
    Ok(Segmented { voxels, report })
}

/// Whole numbers that fit a byte; others are no label of a card and become the background.
fn classes(data: &Data) -> Option<Vec<u8>> {
    let byte = |n: i64| u8::try_from(n).unwrap_or(0);
    Some(match data {
        Data::U8(v) => v.clone(),
        Data::I8(v) => v.iter().map(|n| byte(i64::from(*n))).collect(),
        Data::I32(v) => v.iter().map(|n| byte(i64::from(*n))).collect(),
        Data::I64(v) => v.iter().map(|n| byte(*n)).collect(),
        Data::F32(v) => v.iter().map(|n| byte(n.round() as i64)).collect(),
        _ => return None,
    })
}
