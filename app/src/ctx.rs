//! The page's signals, and the one place where an action is carried out.
//! Views read signals; whatever changes them goes through `dispatch` or an engine event, so a change can be traced.

use leptos::prelude::*;
use protocol::{BackendInfo, Command, SelfCheckRow, SeriesId};
use scene::DVec3;

use crate::engine_link::Link;
use crate::open::Dropped;
use crate::settings::{Settings, store};
use crate::state::curves::{CurveQueries, Curves};
use crate::state::models::Models;
use crate::state::outbox::Outbox;
use crate::state::queries::Queries;
use crate::state::workspace::PanelId;
use crate::state::{Action, Library, Workspace};

/// What the engine said about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStatus {
    pub backend: Option<BackendInfo>,
    pub sent: u32,
    pub drawn: u32,
    pub frame_ms: f64,
    pub rows: Vec<SelfCheckRow>,
    pub checking: bool,
    /// Counts canvases: a lost one is replaced by a new element.
    pub canvas_epoch: u32,
}

/// A message that stays until it is dismissed.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub id: u32,
    pub text: String,
}

/// Which dialog is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    Shortcuts,
    Settings,
    SelfCheck,
    Ledger,
}

/// What lies under the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    pub panel: PanelId,
    pub series: SeriesId,
    pub world: DVec3,
    pub time_index: u32,
}

#[derive(Clone, Copy)]
pub struct Ctx {
    pub workspace: RwSignal<Workspace>,
    pub library: RwSignal<Library>,
    pub engine: RwSignal<EngineStatus>,
    pub settings: RwSignal<Settings>,
    pub notices: RwSignal<Vec<Notice>>,
    pub dialog: RwSignal<Option<Dialog>>,
    /// The study list and the inspector, where they are drawers.
    pub studies_open: RwSignal<bool>,
    pub inspector_open: RwSignal<bool>,
    pub hover: RwSignal<Option<Hover>>,
    /// The value under the pointer, as text.
    pub hover_value: RwSignal<Option<String>>,
    pub dragging_files: RwSignal<bool>,
    /// The series to show as soon as it can be drawn.
    pub wanted: RwSignal<Option<SeriesId>>,
    pub link: StoredValue<Option<Link>, LocalStorage>,
    pub outbox: StoredValue<Outbox>,
    pub queries: StoredValue<Queries>,
    /// Counts questions about a score.
    pub asked_scores: StoredValue<u32>,
    /// Counts questions about maps.
    pub asked_maps: StoredValue<u32>,
    pub curve_queries: StoredValue<CurveQueries>,
    /// Of the point under the pointer, of pins, of regions.
    pub curves: RwSignal<Curves>,
    pub models: RwSignal<Models>,
    /// Files of models that were dropped.
    pub model_files: StoredValue<Vec<web_sys::File>, LocalStorage>,
    /// The run that waits for its volume.
    pub model_pending: StoredValue<Option<crate::models::Pending>, LocalStorage>,
    /// What models answered in this session.
    pub model_results: StoredValue<crate::models::Earlier, LocalStorage>,
    /// The worker that runs models, while there is one.
    pub model_link: StoredValue<Option<wire::page::Link>, LocalStorage>,
    notice_count: StoredValue<u32>,
}

impl Ctx {
    pub fn new(settings: Settings, wide: bool) -> Self {
        let mut workspace = Workspace::default();
        workspace.tool = settings.mouse.first_tool();
        workspace.overlays = settings.overlays;
        workspace.interpolation = settings.interpolation;
        Self {
            workspace: RwSignal::new(workspace),
            library: RwSignal::default(),
            engine: RwSignal::default(),
            settings: RwSignal::new(settings),
            notices: RwSignal::default(),
            dialog: RwSignal::new(None),
            studies_open: RwSignal::new(wide),
            inspector_open: RwSignal::new(wide),
            hover: RwSignal::new(None),
            hover_value: RwSignal::new(None),
            dragging_files: RwSignal::new(false),
            wanted: RwSignal::new(None),
            link: StoredValue::new_local(None),
            outbox: StoredValue::new(Outbox::default()),
            queries: StoredValue::new(Queries::default()),
            asked_scores: StoredValue::new(0),
            asked_maps: StoredValue::new(0),
            curve_queries: StoredValue::new(CurveQueries::default()),
            curves: RwSignal::default(),
            models: RwSignal::default(),
            model_files: StoredValue::new_local(Vec::new()),
            model_pending: StoredValue::new_local(None),
            model_results: StoredValue::new_local(crate::models::no_results()),
            model_link: StoredValue::new_local(None),
            notice_count: StoredValue::new(0),
        }
    }

    pub fn here() -> Self {
        expect_context()
    }

    pub fn send(self, command: Command) {
        self.link.with_value(|link| {
            if let Some(link) = link {
                link.send(&command);
            }
        });
    }

    pub fn notify(self, text: impl Into<String>) {
        let text = text.into();
        self.notice_count.update_value(|n| *n += 1);
        let id = self.notice_count.get_value();
        self.notices.update(|list| {
            // The same trouble twice is one row.
            list.retain(|n| n.text != text);
            list.push(Notice { id, text });
        });
    }

    /// Begins to read what was dropped, picked or pasted.
    pub fn open(self, dropped: Vec<Dropped>) {
        let any = !dropped.is_empty();
        let dropped = crate::models::take_dropped(self, dropped);
        if any && dropped.is_empty() {
            return;
        }
        if dropped.is_empty() {
            self.notify("No files were found in what was dropped. Drop DICOM, NIfTI, PNG or JPEG files, a folder or a zip.");
            return;
        }
        let count = u32::try_from(dropped.len()).unwrap_or(u32::MAX);
        let Some(request) = self.library.try_update(|l| l.begin(count)) else { return };
        let files = js_sys::Array::new();
        let mut paths = Vec::with_capacity(dropped.len());
        for d in dropped {
            files.push(&d.file);
            paths.push(d.path);
        }
        self.link.with_value(|link| {
            if let Some(link) = link {
                link.send_files(&Command::Open { request, paths }, &files);
            }
        });
    }

    /// Shows a series now if it is known, else as soon as the engine has opened it.
    pub fn show_series(self, series: SeriesId) {
        self.wanted.set(Some(series));
        self.send(Command::Load { series });
        if self.workspace.with_untracked(|w| w.volumes.contains_key(&series)) {
            self.workspace.update(|w| {
                w.show(series);
                w.arrange_step();
            });
        }
    }

    pub fn close_all(self) {
        self.send(Command::CloseAll);
        self.wanted.set(None);
        self.library.update(Library::clear);
        self.workspace.update(Workspace::clear);
        self.model_results.update_value(|r| r.clear());
    }

    pub fn self_check(self) {
        self.engine.update(|e| {
            e.rows.clear();
            e.checking = true;
        });
        self.send(Command::SelfCheck);
    }

    /// Carries out an action, wherever it came from.
    pub fn dispatch(self, action: Action) {
        match action {
            Action::OpenFiles => crate::open::click_input("file-input"),
            Action::OpenFolder => crate::open::click_input("folder-input"),
            Action::Help => self.toggle(Dialog::Shortcuts),
            Action::Settings => self.toggle(Dialog::Settings),
            Action::SelfCheck => {
                if self.engine.with_untracked(|e| e.rows.is_empty() && !e.checking) {
                    self.self_check();
                }
                self.toggle(Dialog::SelfCheck);
            }
            Action::Calcium => {
                if self.workspace.with_untracked(|w| w.flow().is_some()) {
                    self.toggle_perfusion();
                }
                self.toggle_calcium();
            }
            Action::Perfusion => self.toggle_perfusion(),
            Action::ToggleStudies => self.studies_open.update(|open| *open = !*open),
            Action::ToggleInspector => self.inspector_open.update(|open| *open = !*open),
            Action::StepSeries(n) => {
                let from = self.workspace.with_untracked(|w| w.active_panel().map(|p| w.root(p.series)));
                let to = self.library.with_untracked(|l| l.neighbour(from, n));
                if let Some(series) = to.filter(|s| Some(*s) != from) {
                    self.show_series(series);
                }
            }
            other => {
                self.workspace.update(|w| {
                    w.apply(other);
                });
                self.remember(other);
            }
        }
    }

    /// Settings that follow what was done.
    fn remember(self, action: Action) {
        let (overlays, interpolation) = self.workspace.with_untracked(|w| (w.overlays, w.interpolation));
        match action {
            Action::ToggleOverlays => self.change_settings(|s| s.overlays = overlays),
            Action::ToggleInterpolation => self.change_settings(|s| s.interpolation = interpolation),
            _ => {}
        }
    }

    pub fn change_settings(self, f: impl FnOnce(&mut Settings)) {
        self.settings.update(f);
        store::save(&self.settings.get_untracked());
    }

    pub fn toggle(self, dialog: Dialog) {
        self.dialog.update(|d| *d = (*d != Some(dialog)).then_some(dialog));
    }
}
