//! Text over a picture: corners, edge letters, scale bar, slice, position, time, window.
//! All of it derived from the panel, so it cannot say something other than what is drawn.

use leptos::prelude::*;
use protocol::VolumeInfo;
use scene::measure::scale_bar;
use scene::{DVec3, LengthUnit};

use super::panel::Shown;
use crate::ctx::Ctx;
use crate::state::PanelId;
use crate::state::measurement::number;

/// Below this width the patient's lines would cover the picture.
const ROOM_FOR_CORNERS_CSS_PX: f64 = 440.0;

#[component]
pub fn Overlay(id: PanelId, shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let info = Memo::new(move |_| {
        let series = shown.with(|s| s.as_ref().map(|s| s.panel.series))?;
        ctx.workspace.with(|w| w.volume(series))
    });
    // The patient is named once per screen, in its first panel that has room.
    let named = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let places = w.places();
            places
                .iter()
                .find(|(_, p)| p.image.width >= ROOM_FOR_CORNERS_CSS_PX)
                .or(places.first())
                .is_some_and(|(p, _)| *p == id)
        })
    });
    let lines = move |right: bool| {
        let list = info.with(|i| {
            i.as_ref()
                .filter(|_| named.get())
                .map(|i| if right { i.corner_right.clone() } else { i.corner_left.clone() })
        });
        list.unwrap_or_default().into_iter().map(|l| view! { <p>{l}</p> }).collect_view()
    };
    let letters = Memo::new(move |_| {
        shown.with(|s| {
            info.with(|i| {
                s.as_ref()
                    .zip(i.as_ref())
                    .map(|(s, i)| s.panel.view.edge_letters(&i.grid))
                    .unwrap_or_default()
            })
        })
    });
    let window_text = move || {
        shown.with(|s| {
            let s = s.as_ref()?;
            // A map says it on its colour bar.
            let elsewhere = info.with(|i| i.as_ref().is_some_and(|i| i.colour || has_bar(i)));
            (!elsewhere).then(|| {
                format!(
                    "W {}  L {}{}",
                    number(round(s.panel.window.width)),
                    number(round(s.panel.window.center)),
                    if s.panel.invert { "  inverted" } else { "" }
                )
            })
        })
    };
    let zoom_text = move || {
        shown.with(|s| {
            info.with(|i| {
                s.as_ref().zip(i.as_ref()).map(|(s, i)| {
                    let mut one = s.panel.view.clone();
                    one.one_to_one(&i.grid);
                    let slab = s.panel.view.slab;
                    let mut text = format!("{:.0} %", 100.0 * one.world_per_px / s.panel.view.world_per_px);
                    if slab.thickness > 0.0 {
                        let mode = match slab.mode {
                            scene::SlabMode::Mip => "MIP",
                            scene::SlabMode::MinIp => "MinIP",
                            scene::SlabMode::Mean => "mean",
                        };
                        text += &format!("  {mode} {:.0} {}", slab.thickness, unit_name(i.grid.length_unit));
                    }
                    text
                })
            })
        })
    };
    let slice_text = move || {
        shown.with(|s| s.as_ref().filter(|s| s.slices > 1).map(|s| format!("{} / {}", s.slice, s.slices)))
    };
    let place_text = move || {
        shown.with(|s| {
            info.with(|i| {
                let (s, i) = s.as_ref().zip(i.as_ref())?;
                (i.grid.length_unit == LengthUnit::Millimetre && s.slices > 1).then(|| {
                    let normal = s.panel.view.plane.world_from_plane(&i.grid).z_axis;
                    position(normal, s.panel.view.centre_world)
                })
            })
        })
    };
    let time_text = move || {
        shown.with(|s| {
            info.with(|i| {
                let (s, i) = s.as_ref().zip(i.as_ref())?;
                let at = i.times_s.get(s.panel.time_index as usize).map(|at| format!("  {at:.1} s"));
                (i.time_points > 1).then(|| {
                    format!("t {} / {}{}", s.panel.time_index + 1, i.time_points, at.unwrap_or_default())
                })
            })
        })
    };
    let lossy = move || info.with(|i| i.as_ref().and_then(|i| i.lossy.clone()));
    let bar = Memo::new(move |_| {
        shown.with(|s| {
            info.with(|i| {
                let (s, i) = s.as_ref().zip(i.as_ref())?;
                let per_css_px =
                    s.panel.view.world_per_px * f64::from(s.place.px.width) / s.place.image.width;
                let (length, px) = scale_bar(per_css_px, (s.place.image.width * 0.3).min(140.0));
                let text = match i.grid.length_unit {
                    LengthUnit::Millimetre if length >= 10.0 => format!("{} cm", number(length / 10.0)),
                    LengthUnit::Millimetre => format!("{} mm", number(length)),
                    LengthUnit::Pixel => format!("{} px", number(length)),
                };
                Some((text, px, i.grid.length_unit))
            })
        })
    });
    let loading = Memo::new(move |_| {
        let series = shown.with(|s| s.as_ref().map(|s| s.panel.series))?;
        ctx.library.with(|l| l.loaded.get(&series).copied()).filter(|(done, total)| done < total)
    });
    let probe = move || {
        let here = ctx.hover.with(|h| h.as_ref().is_some_and(|h| h.panel == id));
        ctx.hover_value.get().filter(|_| here)
    };
    let edge = move |i: usize| move || letters.with(|l| l[i].clone());
    view! {
        <div class="overlay" aria-hidden="true">
            <div class="corner top left">{move || lines(false)}</div>
            <div class="corner top right">
                {move || lines(true)}
                {move || lossy().map(|l| view! { <p class="lossy" data-testid="lossy">"Lossy: "{l}</p> })}
            </div>
            <span class="edge west">{edge(0)}</span>
            <span class="edge east">{edge(1)}</span>
            <span class="edge north">{edge(2)}</span>
            <span class="edge south">{edge(3)}</span>
            <div class="corner bottom left">
                <p class="probe" data-testid="probe-value">{probe}</p>
                <p>{window_text}</p>
                <p class="quiet-on-image">{zoom_text}</p>
            </div>
            <div class="corner bottom right">
                {move || loading.get().map(|(done, total)| view! { <p class="loading">{format!("loading {done} / {total}")}</p> })}
                <p>{time_text}</p>
                <p class="quiet-on-image">{place_text}</p>
                <p>{slice_text}</p>
            </div>
            {move || {
                bar.get()
                    .map(|(text, px, unit)| {
                        view! {
                            <div class="scale" style:width=format!("{px}px")>
                                <span class="scale-bar"></span>
                                <span class="scale-text">{text}</span>
                                {(unit == LengthUnit::Pixel).then(|| view! { <span class="scale-note">"no spacing in the file"</span> })}
                            </div>
                        }
                    })
            }}
        </div>
    }
}

fn has_bar(info: &VolumeInfo) -> bool {
    info.derived.is_some_and(|d| d.what.usual_range().is_some())
}

fn unit_name(unit: LengthUnit) -> &'static str {
    match unit {
        LengthUnit::Millimetre => "mm",
        LengthUnit::Pixel => "px",
    }
}

/// A window dragged by hand has more digits than anyone reads.
fn round(v: f64) -> f64 {
    if v.abs() >= 20.0 { v.round() } else { v }
}

/// `S 98.0 mm`: the distance along the patient axis that the plane crosses, or along the normal.
fn position(normal: DVec3, centre: DVec3) -> String {
    let axes = [(DVec3::X, "L", "R"), (DVec3::Y, "P", "A"), (DVec3::Z, "S", "I")];
    match axes.into_iter().find(|(a, _, _)| a.dot(normal).abs() > 0.9999) {
        Some((axis, plus, minus)) => {
            let d = centre.dot(axis);
            format!("{} {:.1} mm", if d >= 0.0 { plus } else { minus }, d.abs())
        }
        None => format!("{:.1} mm", centre.dot(normal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_in_patient_directions() {
        let c = DVec3::new(-12.34, 5.0, 98.04);
        assert_eq!(position(DVec3::Z, c), "S 98.0 mm");
        assert_eq!(position(DVec3::NEG_X, c), "R 12.3 mm");
        assert_eq!(position(DVec3::Y, c), "P 5.0 mm");
        assert_eq!(position(DVec3::new(0.0, 0.6, 0.8), c), "81.4 mm");
    }
}
