//! What the engine knows: the newest catalog, the loaded series and the newest scene.
//!
//! One loop does one small step at a time (read a header, place a slice, draw) and lets messages in between, so a
//! newer request always finds the engine within one step.

mod derived;
mod handing;
mod labelling;
mod laying;
mod loading;
mod perfusing;
mod reading;
mod scoring;
mod screen;

use std::collections::VecDeque;
use std::rc::Rc;

use imaging::Catalog;
use protocol::{Backend, Command, Event, RequestId, Scene, SeriesId};

use crate::blob::BrowserFile;
use crate::canvas::Canvas;
use crate::link::{self, Incoming};
use crate::start::Inbox;
use crate::{answer, checks};

pub use derived::Computed;
pub use loading::{Loaded, Origin};
use reading::Reading;

/// Steps are taken until this much time has passed, then messages are let in.
const SLICE_MS: f64 = 12.0;
/// Pictures while a series is still arriving: often enough to see it grow, seldom enough not to slow it. A slow
/// adapter gets a sixth of the time at most.
const REDRAW_WHILE_LOADING_MS: f64 = 150.0;
const REDRAW_SHARE: f64 = 6.0;
/// Between two progress messages.
const TELL_MS: f64 = 80.0;

/// The state of the engine.
pub struct Session {
    canvas: Option<Canvas>,
    reading: Option<Reading>,
    catalog: Option<Catalog<BrowserFile>>,
    /// Ids of the series of `catalog`. A series keeps its id when files are added; no id is given twice, so a late
    /// message cannot meet another series.
    ids: Vec<SeriesId>,
    next_id: u32,
    /// The request that `catalog` answers, and whether it was cancelled.
    answered: (RequestId, bool),
    /// The last one is the one asked for last, and is loaded first.
    loaded: Vec<Loaded>,
    /// How many volumes were ever begun.
    begun: u32,
    scene: Scene,
    /// The scene changed since the last picture: somebody waits.
    stale: bool,
    /// Slices have arrived since the last picture.
    grown: bool,
    /// When the last picture was ready, and what it cost.
    drawn_ms: f64,
    frame_ms: f64,
    /// Series whose thumbnail is still to be made.
    unpictured: VecDeque<SeriesId>,
    /// Series of which no slice is to be had alone (a compressed NIfTI file) or whose middle slice could not be
    /// decoded: their thumbnail is made when they have been loaded.
    unpictured_alone: Vec<SeriesId>,
    checks: checks::Checks,
    scores: scoring::Scores,
    flow: perfusing::Flow,
    laying: laying::Laying,
    /// When the canvas was taken.
    ready_ms: f64,
    /// When the GPU was lost, until it is back.
    lost_ms: Option<f64>,
    /// Showing frames directly cost a device: copy them from now on.
    copied: bool,
    /// `?backend=`
    force: Option<Backend>,
    /// Backends that took a canvas and failed.
    spoilt: Vec<Backend>,
    passed_over: Vec<String>,
    /// To be woken when the GPU is lost while the loop sleeps.
    inbox: Rc<Inbox>,
}

impl Session {
    /// Nothing open, no canvas yet.
    pub fn new(inbox: Rc<Inbox>) -> Self {
        Self {
            canvas: None,
            reading: None,
            catalog: None,
            ids: Vec::new(),
            next_id: 0,
            answered: (RequestId(0), false),
            loaded: Vec::new(),
            begun: 0,
            scene: Scene::default(),
            stale: false,
            grown: false,
            drawn_ms: 0.0,
            frame_ms: 0.0,
            unpictured: VecDeque::new(),
            unpictured_alone: Vec::new(),
            checks: checks::Checks::default(),
            scores: scoring::Scores::default(),
            flow: perfusing::Flow::default(),
            laying: laying::Laying::default(),
            ready_ms: 0.0,
            lost_ms: None,
            copied: false,
            force: None,
            spoilt: Vec::new(),
            passed_over: Vec::new(),
            inbox,
        }
    }

    /// Works for a slice of time. False: there is nothing to do until a message comes.
    pub async fn step(&mut self) -> bool {
        self.notice_loss();
        let until = link::now_ms() + SLICE_MS;
        // A score takes tens of milliseconds and a projection on a slow adapter a second: the table comes first.
        self.score_step().await;
        // Then a picture that somebody waits for.
        if self.stale || (self.grown && self.picture_is_due()) {
            self.draw().await;
        }
        while link::now_ms() < until {
            if !(self.read_step().await || self.load_step() || self.picture_step() || self.flow_step().await)
            {
                if self.grown {
                    self.draw().await;
                }
                return self.check_step().await;
            }
        }
        true
    }

    fn picture_is_due(&self) -> bool {
        let pause_ms = REDRAW_WHILE_LOADING_MS.max(REDRAW_SHARE * self.frame_ms);
        self.idle() || link::now_ms() - self.drawn_ms > pause_ms
    }

    fn idle(&self) -> bool {
        self.reading.is_none() && self.loaded.iter().all(Loaded::complete)
    }
}

// What each message asks for.
impl Session {
    /// Does what a message asks for, or starts it.
    pub async fn handle(&mut self, incoming: Incoming) {
        match incoming.command {
            Command::Start { force } => {
                self.force = force;
                self.take_canvas(incoming.canvas).await;
            }
            Command::Canvas => self.take_canvas(incoming.canvas).await,
            Command::LoseDevice => {
                if let Some(Canvas::Gpu(gpu)) = &self.canvas {
                    gpu.gpu.lose_for_test();
                }
            }
            Command::SelfCheck => self.checks.start(),
            Command::Open { request, paths } => self.open(request, paths, incoming.files),
            Command::Cancel { request } => {
                if self.reading.as_ref().is_some_and(|r| r.request == request) {
                    self.finish_reading(true);
                }
            }
            Command::CloseAll => {
                self.reading = None;
                self.loaded.clear();
                self.scores.forget();
                self.flow.forget();
                self.laying = laying::Laying::default();
                if let Some(Canvas::Gpu(canvas)) = &mut self.canvas {
                    canvas.mapping.forget();
                }
                self.catalog = None;
                self.ids.clear();
                self.unpictured.clear();
                self.unpictured_alone.clear();
                self.scene = Scene::default();
                self.stale = true;
            }
            Command::Load { series } => self.load(series),
            Command::Draw { scene } => {
                self.scene = scene;
                self.stale = true;
            }
            Command::Probe { query, series, world, time_index } => {
                let value = self.find(series).and_then(|l| answer::probe(l.volume(), world, time_index));
                link::send(&Event::Value { query, value });
            }
            Command::Roi { query, series, roi, time_index } => {
                let found = self.find(series).map(|l| answer::roi(l.volume(), &roi, time_index));
                link::send(&answer::roi_event(query, found));
            }
            Command::Hand { query, series, time_index } => self.hand(query, series, time_index),
            Command::Segmentation { series, ask } => {
                self.about_labels(series, ask, &incoming.files, incoming.labels)
            }
            Command::Calcium { query, task } => self.ask_score(query, task),
            Command::CalciumExport { query, task, format, identification } => {
                self.export_score(query, task, format, &identification).await;
            }
            Command::Perfusion { query, task } => self.ask_maps(query, task),
            Command::PerfusionCancel { series } => self.cancel_maps(series),
            Command::PerfusionCurves { query, series, places } => {
                let curves = self.flow_curves(series, &places);
                link::send(&Event::PerfusionCurves { query, curves });
            }
            Command::PerfusionExport { query, series, format, identification, places, view } => {
                self.export_maps(query, series, format, &identification, &places, *view);
            }
            Command::Capture { query } => {
                let Some(canvas) = &mut self.canvas else { return };
                match canvas.capture(&self.scene, &self.loaded).await {
                    Ok((width, height, rgba)) => link::send(&Event::Captured { query, width, height, rgba }),
                    Err(message) => link::problem(&message),
                }
            }
        }
    }

    /// Where a series stands in the catalog.
    fn index_of(&self, series: SeriesId) -> Option<usize> {
        self.ids.iter().position(|id| *id == series)
    }

    fn find(&self, series: SeriesId) -> Option<&Loaded> {
        self.loaded.iter().find(|l| l.series == series)
    }
}
