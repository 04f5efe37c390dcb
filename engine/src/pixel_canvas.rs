//! A canvas that is given finished pixels through its 2D context.

use wasm_bindgen::{Clamped, JsCast};
use web_sys::{ImageData, OffscreenCanvas, OffscreenCanvasRenderingContext2d};

/// A picture read back: width, height, RGBA8.
pub type Picture = (u32, u32, Vec<u8>);

/// Pixels in wasm memory and the context that shows them.
pub struct PixelCanvas {
    canvas: OffscreenCanvas,
    context: OffscreenCanvasRenderingContext2d,
    rgba: Vec<u8>,
    width_px: u32,
    height_px: u32,
}

impl PixelCanvas {
    /// Fails where the canvas has a context of another kind already.
    pub fn new(canvas: OffscreenCanvas) -> Result<Self, String> {
        let context = canvas
            .get_context("2d")
            .ok()
            .flatten()
            .and_then(|c| c.dyn_into::<OffscreenCanvasRenderingContext2d>().ok())
            .ok_or("The canvas gives no 2D context.")?;
        Ok(Self { canvas, context, rgba: Vec::new(), width_px: 0, height_px: 0 })
    }

    fn resize(&mut self, width_px: u32, height_px: u32) {
        if (self.width_px, self.height_px) != (width_px, height_px) {
            self.canvas.set_width(width_px);
            self.canvas.set_height(height_px);
            (self.width_px, self.height_px) = (width_px, height_px);
        }
    }

    /// Makes room for a picture of this size; returns its pixels, opaque black.
    pub fn begin(&mut self, width_px: u32, height_px: u32) -> &mut [u8] {
        self.resize(width_px, height_px);
        self.rgba.clear();
        self.rgba.resize(width_px as usize * height_px as usize * 4, 0);
        for pixel in self.rgba.chunks_exact_mut(4) {
            pixel[3] = 255;
        }
        &mut self.rgba
    }

    /// The pixels as they are shown, to be drawn over in part.
    pub fn go_on(&mut self) -> &mut [u8] {
        &mut self.rgba
    }

    /// Takes a picture that was drawn elsewhere.
    pub fn take(&mut self, (width_px, height_px, rgba): Picture) {
        self.resize(width_px, height_px);
        self.rgba = rgba;
    }

    /// What is shown.
    pub fn picture(&self) -> Picture {
        (self.width_px, self.height_px, self.rgba.clone())
    }

    /// Shows what was drawn.
    pub fn present(&self) -> Result<(), String> {
        let image =
            ImageData::new_with_u8_clamped_array_and_sh(Clamped(&self.rgba), self.width_px, self.height_px)
                .map_err(|_| "The browser refused the picture.")?;
        self.context
            .put_image_data(&image, 0.0, 0.0)
            .map_err(|_| "The 2D context refused the picture.".to_owned())
    }
}
