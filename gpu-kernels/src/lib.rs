//! wgpu: device, volumes, drawing passes, kernels with their CPU twins, the self-check.
