//! What the engine knows: the newest catalog, the loaded series and the newest scene.
//!
//! One loop does one small step at a time (read a header, place a slice, draw) and lets messages in between, so a
//! newer request always finds the engine within one step.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use imaging::limits::Limits;
use imaging::{Catalog, Scanner, VolumeLoader};
use protocol::{Backend, Command, Event, Progress, RequestId, Scene, SeriesId};
use web_sys::OffscreenCanvas;

use crate::blob::BrowserFile;
use crate::canvas::{self, Canvas};
use crate::link::{self, Incoming};
use crate::start::Inbox;
use crate::{answer, checks, picture, summary};

/// Steps are taken until this much time has passed, then messages are let in.
const SLICE_MS: f64 = 12.0;
/// Pictures while a series is still arriving: often enough to see it grow, seldom enough not to slow it. A slow
/// adapter gets a sixth of the time at most.
const REDRAW_WHILE_LOADING_MS: f64 = 150.0;
const REDRAW_SHARE: f64 = 6.0;
/// The kernels are checked when the engine has been ready for this long and has nothing else to do.
const CHECK_AFTER: Duration = Duration::from_secs(2);
/// Between two progress messages.
const TELL_MS: f64 = 80.0;

/// A device lost this soon after it was made was lost to the first frames that it showed.
const EARLY_LOSS_MS: f64 = 1000.0;

/// A scan under way.
struct Reading {
    request: RequestId,
    scanner: Scanner<BrowserFile>,
    started_ms: f64,
    told_ms: f64,
}

/// A series whose slices arrive or have arrived.
pub struct Loaded {
    pub series: SeriesId,
    pub loader: VolumeLoader<BrowserFile>,
    pub done: u32,
    pub total: u32,
    /// `[time_index, slice]` in the order of arrival: what a GPU copy has not seen yet is the tail.
    pub placed: Vec<[u32; 2]>,
    told_ms: f64,
}

impl Loaded {
    fn complete(&self) -> bool {
        self.done == self.total
    }
}

/// The state of the engine.
pub struct Session {
    canvas: Option<Canvas>,
    reading: Option<Reading>,
    catalog: Option<Catalog<BrowserFile>>,
    /// Series ids of `catalog` start here: ids are never reused, so a late message cannot meet another study.
    first_id: u32,
    /// The last one is the one asked for last, and is loaded first.
    loaded: Vec<Loaded>,
    scene: Scene,
    /// The scene changed since the last picture: somebody waits.
    stale: bool,
    /// Slices have arrived since the last picture.
    grown: bool,
    /// When the last picture was ready, and what it cost.
    drawn_ms: f64,
    frame_ms: f64,
    /// Series of `catalog` whose thumbnail is still to be made.
    unpictured: VecDeque<usize>,
    /// Series of which no slice is to be had alone (a compressed NIfTI file) or whose middle slice could not be
    /// decoded: their thumbnail is made when they have been loaded.
    unpictured_alone: Vec<SeriesId>,
    checks: checks::Checks,
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
            first_id: 0,
            loaded: Vec::new(),
            scene: Scene::default(),
            stale: false,
            grown: false,
            drawn_ms: 0.0,
            frame_ms: 0.0,
            unpictured: VecDeque::new(),
            unpictured_alone: Vec::new(),
            checks: checks::Checks::default(),
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
        // A picture that somebody waits for comes first.
        if self.stale || (self.grown && self.picture_is_due()) {
            self.draw().await;
        }
        while link::now_ms() < until {
            if !(self.read_step() || self.load_step() || self.picture_step()) {
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

// The canvas: taken, lost, taken again.
impl Session {
    async fn take_canvas(&mut self, canvas: Option<OffscreenCanvas>) {
        let Some(offscreen) = canvas else {
            link::problem("The page sent no canvas. Reload the page.");
            return;
        };
        self.canvas = None;
        match canvas::take(offscreen, self.force, &self.spoilt, self.copied, &mut self.passed_over).await {
            Ok(taken) => {
                if let Canvas::Gpu(gpu) = &taken.canvas {
                    let (inbox, lost) = (Rc::clone(&self.inbox), gpu.gpu.lost());
                    wasm_bindgen_futures::spawn_local(async move {
                        lost.await;
                        inbox.poke();
                    });
                }
                self.canvas = Some(taken.canvas);
                self.ready_ms = link::now_ms();
                self.stale = true;
                if self.checks.due_at_start() {
                    let inbox = Rc::clone(&self.inbox);
                    wasm_bindgen_futures::spawn_local(async move {
                        gloo_timers::future::sleep(CHECK_AFTER).await;
                        inbox.poke();
                    });
                }
                link::send(&Event::Ready { backend: taken.info });
            }
            Err(spoilt) => {
                self.spoilt.push(spoilt.backend);
                if spoilt.backend == Backend::Cpu {
                    link::problem(&format!("Nothing can be drawn in this browser: {}.", spoilt.why));
                } else {
                    link::send(&Event::CanvasWanted { why: spoilt.why });
                }
            }
        }
    }

    /// Asks for a new canvas when the GPU has gone; the scene and the voxels are still here.
    fn notice_loss(&mut self) {
        if let Some(Canvas::Gpu(gpu)) = &self.canvas
            && let Some(why) = gpu.gpu.lost_why()
        {
            self.canvas = None;
            let now = link::now_ms();
            self.lost_ms = Some(now);
            self.copied |= now - self.ready_ms < EARLY_LOSS_MS;
            link::send(&Event::CanvasWanted { why: format!("the GPU was lost ({why})") });
        }
    }

    async fn draw(&mut self) {
        let begun = link::now_ms();
        let Some(canvas) = &mut self.canvas else { return };
        (self.stale, self.grown) = (false, false);
        if let Err(message) = canvas.draw(&self.scene, &self.loaded).await {
            link::problem(&message);
            return;
        }
        let now = link::now_ms();
        (self.drawn_ms, self.frame_ms) = (now, now - begun);
        link::send(&Event::Drawn { generation: self.scene.generation, frame_ms: now - begun });
        if let Some(lost_ms) = self.lost_ms.take() {
            link::send(&Event::Recovered { after_ms: now - lost_ms });
        }
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
                self.catalog = None;
                self.scene = Scene::default();
                self.stale = true;
            }
            Command::Load { series } => self.load(series),
            Command::Draw { scene } => {
                self.scene = scene;
                self.stale = true;
            }
            Command::Probe { query, series, world, time_index } => {
                let value =
                    self.find(series).and_then(|l| answer::probe(l.loader.volume(), world, time_index));
                link::send(&Event::Value { query, value });
            }
            Command::Roi { query, series, roi, time_index } => {
                let found = self.find(series).map(|l| answer::roi(l.loader.volume(), &roi, time_index));
                link::send(&answer::roi_event(query, found));
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

    fn find(&self, series: SeriesId) -> Option<&Loaded> {
        self.loaded.iter().find(|l| l.series == series)
    }

    fn open(&mut self, request: RequestId, paths: Vec<String>, files: Vec<web_sys::File>) {
        let mut sources = Vec::with_capacity(files.len());
        let mut paths = paths.into_iter();
        for file in files {
            let path = paths.next().unwrap_or_else(|| file.name());
            match BrowserFile::new(path, file) {
                Ok(source) => sources.push(source),
                Err(_) => link::problem(
                    "This browser offers no FileReaderSync in workers, so files cannot be read. Update the browser.",
                ),
            }
        }
        let now = link::now_ms();
        self.reading = Some(Reading {
            request,
            scanner: Scanner::new(sources, Limits::default()),
            started_ms: now,
            told_ms: now,
        });
    }

    fn load(&mut self, series: SeriesId) {
        if let Some(at) = self.loaded.iter().position(|l| l.series == series) {
            let loaded = self.loaded.remove(at);
            self.loaded.push(loaded);
            self.announce(self.loaded.len() - 1);
            return;
        }
        let Some(catalog) = &self.catalog else { return };
        let index = series.0.wrapping_sub(self.first_id) as usize;
        // The volume of a series that nobody looks at any more makes room.
        let scene = &self.scene;
        self.loaded.retain(|l| scene.panels.iter().any(|p| p.series == l.series));
        match catalog.loader(index) {
            Ok(loader) => {
                let total = loader.total() as u32;
                self.loaded.push(Loaded { series, loader, done: 0, total, placed: Vec::new(), told_ms: 0.0 });
                self.announce(self.loaded.len() - 1);
            }
            Err(error) => link::problem(&error.to_string()),
        }
    }

    /// Tells the page what a loaded series is.
    fn announce(&self, at: usize) {
        if let (Some(loaded), Some(catalog)) = (self.loaded.get(at), &self.catalog) {
            let index = loaded.series.0.wrapping_sub(self.first_id) as usize;
            if let Some(info) = summary::volume_info(catalog, index, &loaded.loader) {
                link::send(&Event::Opened { series: loaded.series, info });
            }
            link::send(&Event::Loaded { series: loaded.series, done: loaded.done, total: loaded.total });
        }
    }
}

// The steps of long work. Each returns false when there is nothing of its kind to do.
impl Session {
    fn read_step(&mut self) -> bool {
        let Some(reading) = &mut self.reading else { return false };
        let step = reading.scanner.step();
        let now = link::now_ms();
        if now - reading.told_ms > TELL_MS || step.is_none() {
            reading.told_ms = now;
            let at = reading.scanner.progress();
            let progress = Progress {
                files_done: at.files_done as u32,
                files_total: at.files_total as u32,
                bytes_done: at.bytes_done,
                bytes_total: at.bytes_total,
                seconds_left: summary::seconds_left(now - reading.started_ms, at.bytes_done, at.bytes_total),
            };
            link::send(&Event::Progress { request: reading.request, progress });
        }
        if step.is_none() {
            self.finish_reading(false);
        }
        true
    }

    fn finish_reading(&mut self, cancelled: bool) {
        let Some(reading) = self.reading.take() else { return };
        let catalog = reading.scanner.finish();
        let count = self.catalog.as_ref().map_or(0, |c| c.series.len()) as u32;
        self.first_id += count;
        self.loaded.clear();
        self.unpictured = (0..catalog.series.len()).filter(|i| catalog.series[*i].displayable).collect();
        self.unpictured_alone.clear();
        let listed = summary::catalog(&catalog, self.first_id);
        self.catalog = Some(catalog);
        link::send(&Event::Catalog { request: reading.request, catalog: listed, cancelled });
    }

    fn load_step(&mut self) -> bool {
        // Not always the last one: a series asked for earlier goes on when a later one is complete.
        let Some(at) = self.loaded.iter().rposition(|l| !l.complete()) else { return false };
        let loaded = &mut self.loaded[at];
        match loaded.loader.step() {
            Ok(Some(placed)) => {
                loaded.done = placed.done as u32;
                if placed.problem.is_none() {
                    loaded.placed.push([placed.time_index, placed.slice]);
                }
            }
            Ok(None) => loaded.done = loaded.total,
            Err(error) => {
                link::problem(&error.to_string());
                loaded.done = loaded.total;
            }
        }
        // Slices that no panel shows are no reason to draw.
        self.grown |= self.scene.panels.iter().any(|panel| panel.series == loaded.series);
        let now = link::now_ms();
        if loaded.complete() || now - loaded.told_ms > TELL_MS {
            loaded.told_ms = now;
            link::send(&Event::Loaded { series: loaded.series, done: loaded.done, total: loaded.total });
        }
        if loaded.complete() {
            let failures = loaded.loader.failures().to_vec();
            if let Some(catalog) = self.catalog.as_mut().filter(|_| !failures.is_empty()) {
                catalog.refuse(&failures);
            }
            let loaded = &self.loaded[at];
            if let Some(waiting) = self.unpictured_alone.iter().position(|s| *s == loaded.series) {
                self.unpictured_alone.swap_remove(waiting);
                picture::send(loaded.series, picture::of(&loaded.loader));
            }
            self.announce(at);
        }
        true
    }

    /// One thumbnail, from one slice.
    fn picture_step(&mut self) -> bool {
        let Some(index) = self.unpictured.pop_front() else { return false };
        let Some(catalog) = &self.catalog else { return true };
        let series = SeriesId(self.first_id + index as u32);
        if let Ok(Some(thumbnail)) = catalog.thumbnail(index, picture::SIDE_PX) {
            picture::send(series, thumbnail);
        } else if let Some(loaded) = self.loaded.iter().find(|l| l.series == series && l.complete()) {
            picture::send(series, picture::of(&loaded.loader));
        } else {
            self.unpictured_alone.push(series);
        }
        true
    }

    /// One kernel against its twin. False: nothing to check now.
    async fn check_step(&mut self) -> bool {
        let since_ready = Duration::from_secs_f64((link::now_ms() - self.ready_ms).max(0.0) * 1e-3);
        if self.checks.due_at_start() && self.canvas.is_some() && since_ready >= CHECK_AFTER {
            self.checks.start();
        }
        let gpu = match &self.canvas {
            Some(Canvas::Gpu(canvas)) => Some(&canvas.gpu),
            _ => None,
        };
        let went_on = self.checks.step(gpu).await;
        if self.checks.drawing_differs() && matches!(self.canvas, Some(Canvas::Gpu(_))) {
            // A GPU whose pictures are not the twin's must not draw: the twin does, and the badge says so.
            self.spoilt.extend([Backend::WebGpu, Backend::WebGl2]);
            self.passed_over.push("the slice pass differs from its CPU twin on this GPU".into());
            self.canvas = None;
            link::send(&Event::CanvasWanted { why: "this GPU draws other pictures than the CPU".into() });
        }
        went_on
    }
}
