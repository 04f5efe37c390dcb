// The values of softmax lie where the results are put: a thread reads what it alone writes.

fn value_of(i: u32) -> f32 {
    return f32(output[i]);
}
