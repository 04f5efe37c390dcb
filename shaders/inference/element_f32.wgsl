// How activations are stored: a word each. `element_f16.wgsl` takes this part's place where they are half floats.

alias Element = f32;

/// What a kernel writes that moves elements, or writes numbers or places.
alias Word = u32;

fn word_of(x: f32) -> Word {
    return bitcast<u32>(x);
}
