//! Playing through slices and through time, as two separate axes with their own speeds.
//! A clock that gives whole steps: a slow machine skips steps instead of lagging behind.

/// Which axes play, and how fast.
#[derive(Clone, Debug, PartialEq)]
pub struct Cine {
    pub slices: Axis,
    pub time: Axis,
}

/// One axis of a cine.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub playing: bool,
    pub fps: f64,
    /// Part of a step that has passed since the last one.
    due: f64,
}

impl Axis {
    fn new(fps: f64) -> Self {
        Self { playing: false, fps, due: 0.0 }
    }

    pub fn toggle(&mut self) {
        self.playing = !self.playing;
        self.due = 0.0;
    }

    pub fn set_fps(&mut self, fps: f64) {
        if fps.is_finite() {
            self.fps = fps.clamp(0.5, 60.0);
        }
    }

    /// Steps due after `seconds` more; at most one second's worth, whatever the pause (a hidden tab) was.
    pub fn advance(&mut self, seconds: f64) -> i32 {
        if !self.playing {
            return 0;
        }
        self.due += seconds.clamp(0.0, 1.0) * self.fps;
        let steps = self.due.floor();
        self.due -= steps;
        steps as i32
    }
}

impl Default for Cine {
    fn default() -> Self {
        Self { slices: Axis::new(15.0), time: Axis::new(8.0) }
    }
}

impl Cine {
    pub fn playing(&self) -> bool {
        self.slices.playing || self.time.playing
    }
}

/// `at + steps` on a ring of `count`.
pub fn wrap(at: u32, steps: i32, count: u32) -> u32 {
    if count == 0 {
        return 0;
    }
    (i64::from(at) + i64::from(steps)).rem_euclid(i64::from(count)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_at_the_stated_rate() {
        let mut a = Axis::new(12.5);
        assert_eq!(a.advance(1.0), 0, "not playing");
        a.toggle();
        let steps: i32 = (0..240).map(|_| a.advance(1.0 / 60.0)).sum();
        assert!((steps - 50).abs() <= 1, "4 s at 12.5/s gave {steps}");
    }

    #[test]
    fn a_hidden_tab_does_not_race_when_it_returns() {
        let mut a = Axis::new(10.0);
        a.toggle();
        assert_eq!(a.advance(3600.0), 10);
        a.set_fps(f64::NAN);
        assert_eq!(a.fps, 10.0);
        a.set_fps(1e9);
        assert_eq!(a.fps, 60.0);
    }

    #[test]
    fn the_ring_closes_both_ways() {
        assert_eq!(wrap(29, 1, 30), 0);
        assert_eq!(wrap(0, -1, 30), 29);
        assert_eq!(wrap(5, 65, 30), 10);
        assert_eq!(wrap(0, 3, 0), 0);
    }
}
