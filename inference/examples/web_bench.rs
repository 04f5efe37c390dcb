//! What `e2e/src/bin/inference-bench` loads into its page: a model on the GPU or the CPU, as the worker runs it.
//!
//! An example and no crate: it holds nothing but the few calls that a script needs.

#[cfg(target_arch = "wasm32")]
mod web {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use inference::exec::{Exec, Report};
    use inference::gpu::{Gpu, GpuExec};
    use inference::{Data, HostOnly, Limits, Session, Tensor, load};
    use wasm_bindgen::prelude::*;

    /// Bytes that a run may take: none of the models here needs them.
    const BUDGET: u64 = 2 << 30;

    fn fault(error: impl std::fmt::Display) -> JsError {
        JsError::new(&error.to_string())
    }

    /// A GPU.
    #[wasm_bindgen]
    pub struct Device(Gpu);

    #[wasm_bindgen]
    impl Device {
        /// The browser's.
        pub async fn request() -> Result<Device, JsError> {
            Gpu::request().await.map(Device).map_err(fault)
        }

        /// Of its adapter.
        pub fn name(&self) -> String {
            self.0.adapter_name().to_owned()
        }
    }

    enum Place {
        Cpu(Session<HostOnly>),
        Gpu(Box<Session<GpuExec>>),
    }

    /// A model that is ready to run.
    #[wasm_bindgen]
    pub struct Model {
        place: Place,
        input: String,
        report: Report,
        parts_ms: BTreeMap<String, f64>,
    }

    #[wasm_bindgen]
    impl Model {
        /// On this device, or on the CPU.
        pub fn load(bytes: &[u8], device: Option<Device>) -> Result<Model, JsError> {
            let graph = Arc::new(load(bytes, &Limits::default()).map_err(fault)?);
            let input = graph.inputs.first().map(|input| input.name.clone()).unwrap_or_default();
            let place = match device {
                Some(device) => {
                    Place::Gpu(Box::new(Session::new(graph, GpuExec::new(device.0, false), BUDGET)))
                }
                None => Place::Cpu(Session::new(graph, HostOnly, BUDGET)),
            };
            Ok(Model { place, input, report: Report::default(), parts_ms: BTreeMap::new() })
        }

        /// The first output for the first input.
        pub async fn run(&mut self, values: Vec<f32>, shape: Vec<u32>) -> Result<Vec<f32>, JsError> {
            let shape = shape.into_iter().map(|extent| extent as usize).collect();
            let inputs = vec![(self.input.clone(), Tensor::new(shape, Data::F32(values)).map_err(fault)?)];
            let parts = &mut self.parts_ms;
            let (output, report) = match &mut self.place {
                Place::Cpu(session) => run(session, inputs, parts).await?,
                Place::Gpu(session) => run(session, inputs, parts).await?,
            };
            self.report = report;
            match output.into_data() {
                Data::F32(values) => Ok(values),
                data => Err(fault(format!("the output is {}", data.dtype().name()))),
            }
        }

        /// Operators of the last run: on the device, all.
        pub fn on_device(&self) -> Vec<u32> {
            let Report { on_device, on_host, .. } = self.report;
            vec![on_device as u32, (on_device + on_host) as u32]
        }

        /// Milliseconds of the last run by operator, as an object. On a GPU it is the time to record them.
        pub fn parts(&self) -> String {
            let parts: Vec<_> =
                self.parts_ms.iter().map(|(name, ms)| format!("\"{name}\":{ms:.3}")).collect();
            format!("{{{}}}", parts.join(","))
        }
    }

    async fn run<E: Exec>(
        session: &mut Session<E>,
        inputs: Vec<(String, Tensor)>,
        parts: &mut BTreeMap<String, f64>,
    ) -> Result<(Tensor, Report), JsError> {
        parts.clear();
        let mut last: Option<(String, web_time::Instant)> = None;
        let mut close = |last: Option<(String, web_time::Instant)>| {
            if let Some((operator, began)) = last {
                *parts.entry(operator).or_insert(0.0) += began.elapsed().as_secs_f64() * 1e3;
            }
        };
        let (outputs, report) = session
            .run(inputs, |progress| {
                close(last.replace((progress.operator.to_owned(), web_time::Instant::now())));
                ControlFlow::Continue(())
            })
            .await
            .map_err(fault)?;
        close(last);
        let (_, output) = outputs.into_iter().next().ok_or_else(|| fault("the model has no output"))?;
        Ok((output, report))
    }
}

fn main() {}
