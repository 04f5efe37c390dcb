// How activations are stored: half floats, for models whose tensors are. Sums and functions are of f32 all the same.
enable f16;

alias Element = f16;

/// What a kernel writes that moves elements, or writes numbers.
alias Word = f16;

fn word_of(x: f32) -> Word {
    return f16(x);
}
