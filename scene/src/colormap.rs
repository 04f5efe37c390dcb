//! From a grey level to a colour, for pictures whose values are no brightness: flow, volume, time.
//!
//! The map is applied to the level and not to the value, so that window, inversion and interpolation mean the same
//! whatever the colours, and the bar beside a picture is the table itself.

use serde::{Deserialize, Serialize};

/// Colours of the levels 0 to 255: red, green, blue.
pub type Colours = [[u8; 3]; 256];

/// A table of colours by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colormap {
    /// Level by level the grey itself.
    #[default]
    Grey,
    /// Even steps to the eye, legible in grey and by the colour-blind (Smith and van der Walt 2015, CC0).
    Viridis,
    /// a-LUT, the table that ASIST-Japan published for perfusion maps (Acute Stroke Imaging Standardization Group,
    /// "Standard normalization of the CT/MRI perfusion image display").
    Asist,
}

impl Colormap {
    /// In the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Asist, Self::Viridis, Self::Grey];

    /// For readers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "Grey",
            Self::Viridis => "Viridis",
            Self::Asist => "ASIST",
        }
    }

    /// As a setting.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|map| map.name() == name)
    }

    /// The colour of a level.
    pub fn colour(self, level: u8) -> [u8; 3] {
        match self {
            Self::Grey => [level; 3],
            Self::Viridis => {
                let [_, rgb @ ..] = VIRIDIS[usize::from(level)].to_be_bytes();
                rgb
            }
            Self::Asist => asist(i32::from(level)),
        }
    }

    /// All levels.
    pub fn table(self) -> Colours {
        std::array::from_fn(|level| self.colour(level as u8))
    }
}

/// Every channel of the a-LUT is a line of whole-number slope between a few levels: from black over purple and blue
/// (86) to green (137), yellow (192) and red (255).
fn asist(level: i32) -> [u8; 3] {
    let red = match level {
        ..=20 => 4 * level,
        21..=100 => 100 - level,
        _ => 4 * (level - 128),
    };
    let green = if level < 192 { 3 * (level - 45) } else { 4 * (255 - level) };
    let blue = if level <= 86 { 3 * (level - 1) } else { 255 - 5 * (level - 86) };
    [red, green, blue].map(|channel| channel.clamp(0, 255) as u8)
}

/// matplotlib's `viridis`, rounded to 8 bits.
const VIRIDIS: [u32; 256] = [
    0x440154, 0x440256, 0x450457, 0x450559, 0x46075a, 0x46085c, 0x460a5d, 0x460b5e, 0x470d60, 0x470e61,
    0x471063, 0x471164, 0x471365, 0x481467, 0x481668, 0x481769, 0x48186a, 0x481a6c, 0x481b6d, 0x481c6e,
    0x481d6f, 0x481f70, 0x482071, 0x482173, 0x482374, 0x482475, 0x482576, 0x482677, 0x482878, 0x482979,
    0x472a7a, 0x472c7a, 0x472d7b, 0x472e7c, 0x472f7d, 0x46307e, 0x46327e, 0x46337f, 0x463480, 0x453581,
    0x453781, 0x453882, 0x443983, 0x443a83, 0x443b84, 0x433d84, 0x433e85, 0x423f85, 0x424086, 0x424186,
    0x414287, 0x414487, 0x404588, 0x404688, 0x3f4788, 0x3f4889, 0x3e4989, 0x3e4a89, 0x3e4c8a, 0x3d4d8a,
    0x3d4e8a, 0x3c4f8a, 0x3c508b, 0x3b518b, 0x3b528b, 0x3a538b, 0x3a548c, 0x39558c, 0x39568c, 0x38588c,
    0x38598c, 0x375a8c, 0x375b8d, 0x365c8d, 0x365d8d, 0x355e8d, 0x355f8d, 0x34608d, 0x34618d, 0x33628d,
    0x33638d, 0x32648e, 0x32658e, 0x31668e, 0x31678e, 0x31688e, 0x30698e, 0x306a8e, 0x2f6b8e, 0x2f6c8e,
    0x2e6d8e, 0x2e6e8e, 0x2e6f8e, 0x2d708e, 0x2d718e, 0x2c718e, 0x2c728e, 0x2c738e, 0x2b748e, 0x2b758e,
    0x2a768e, 0x2a778e, 0x2a788e, 0x29798e, 0x297a8e, 0x297b8e, 0x287c8e, 0x287d8e, 0x277e8e, 0x277f8e,
    0x27808e, 0x26818e, 0x26828e, 0x26828e, 0x25838e, 0x25848e, 0x25858e, 0x24868e, 0x24878e, 0x23888e,
    0x23898e, 0x238a8d, 0x228b8d, 0x228c8d, 0x228d8d, 0x218e8d, 0x218f8d, 0x21908d, 0x21918c, 0x20928c,
    0x20928c, 0x20938c, 0x1f948c, 0x1f958b, 0x1f968b, 0x1f978b, 0x1f988b, 0x1f998a, 0x1f9a8a, 0x1e9b8a,
    0x1e9c89, 0x1e9d89, 0x1f9e89, 0x1f9f88, 0x1fa088, 0x1fa188, 0x1fa187, 0x1fa287, 0x20a386, 0x20a486,
    0x21a585, 0x21a685, 0x22a785, 0x22a884, 0x23a983, 0x24aa83, 0x25ab82, 0x25ac82, 0x26ad81, 0x27ad81,
    0x28ae80, 0x29af7f, 0x2ab07f, 0x2cb17e, 0x2db27d, 0x2eb37c, 0x2fb47c, 0x31b57b, 0x32b67a, 0x34b679,
    0x35b779, 0x37b878, 0x38b977, 0x3aba76, 0x3bbb75, 0x3dbc74, 0x3fbc73, 0x40bd72, 0x42be71, 0x44bf70,
    0x46c06f, 0x48c16e, 0x4ac16d, 0x4cc26c, 0x4ec36b, 0x50c46a, 0x52c569, 0x54c568, 0x56c667, 0x58c765,
    0x5ac864, 0x5cc863, 0x5ec962, 0x60ca60, 0x63cb5f, 0x65cb5e, 0x67cc5c, 0x69cd5b, 0x6ccd5a, 0x6ece58,
    0x70cf57, 0x73d056, 0x75d054, 0x77d153, 0x7ad151, 0x7cd250, 0x7fd34e, 0x81d34d, 0x84d44b, 0x86d549,
    0x89d548, 0x8bd646, 0x8ed645, 0x90d743, 0x93d741, 0x95d840, 0x98d83e, 0x9bd93c, 0x9dd93b, 0xa0da39,
    0xa2da37, 0xa5db36, 0xa8db34, 0xaadc32, 0xaddc30, 0xb0dd2f, 0xb2dd2d, 0xb5de2b, 0xb8de29, 0xbade28,
    0xbddf26, 0xc0df25, 0xc2df23, 0xc5e021, 0xc8e020, 0xcae11f, 0xcde11d, 0xd0e11c, 0xd2e21b, 0xd5e21a,
    0xd8e219, 0xdae319, 0xdde318, 0xdfe318, 0xe2e418, 0xe5e419, 0xe7e419, 0xeae51a, 0xece51b, 0xefe51c,
    0xf1e51d, 0xf4e61e, 0xf6e620, 0xf8e621, 0xfbe723, 0xfde725,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the published table of 256, both sides of every bend.
    #[test]
    fn asist_is_the_published_table() {
        for (level, want) in [
            (0, [0, 0, 0]),
            (1, [4, 0, 0]),
            (2, [8, 0, 3]),
            (19, [76, 0, 54]),
            (20, [80, 0, 57]),
            (21, [79, 0, 60]),
            (45, [55, 0, 132]),
            (46, [54, 3, 135]),
            (85, [15, 120, 252]),
            (86, [14, 123, 255]),
            (87, [13, 126, 250]),
            (99, [1, 162, 190]),
            (100, [0, 165, 185]),
            (101, [0, 168, 180]),
            (128, [0, 249, 45]),
            (129, [4, 252, 40]),
            (130, [8, 255, 35]),
            (136, [32, 255, 5]),
            (137, [36, 255, 0]),
            (191, [252, 255, 0]),
            (192, [255, 252, 0]),
            (193, [255, 248, 0]),
            (254, [255, 4, 0]),
            (255, [255, 0, 0]),
        ] {
            assert_eq!(Colormap::Asist.colour(level), want, "level {level}");
        }
    }

    #[test]
    fn viridis_has_its_ends_and_its_middle_and_only_grows_brighter() {
        let map = Colormap::Viridis.table();
        assert_eq!((map[0], map[128], map[255]), ([68, 1, 84], [33, 145, 140], [253, 231, 37]));
        let luminance = |[r, g, b]: [u8; 3]| {
            let linear = |c: u8| (f64::from(c) / 255.0).powf(2.2);
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        // 8 bits cannot hold the smallest steps.
        for pair in map.windows(2) {
            assert!(luminance(pair[1]) > luminance(pair[0]) - 1e-3, "{pair:?}");
        }
        assert!(luminance(map[255]) > luminance(map[0]) + 0.6);
    }

    #[test]
    fn grey_is_the_level_and_every_name_is_read_back() {
        assert!((0..=255u8).all(|level| Colormap::Grey.colour(level) == [level; 3]));
        assert!(Colormap::ALL.iter().all(|map| Colormap::parse(map.name()) == Some(*map)));
        assert_eq!(Colormap::parse("jet"), None);
    }
}
