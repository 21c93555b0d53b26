//! `WorkerService`: operators see workers, and drain them.

use deepclone_core::ids::WorkerId;
use deepclone_proto::v1::{self, worker_service_server::WorkerService};
use tonic::{Request, Response, Status};

use super::convert::{body, refused, status};
use super::{names, show};
use crate::access::caller::Caller;
use crate::driver::Handle;
use crate::driver::message::Message;
use crate::driver::snapshot::WorkerSnapshot;
use crate::driver::unknown_worker;

/// Serves `WorkerService` over the driver.
pub struct Workers {
    handle: Handle,
}

impl Workers {
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self { handle }
    }

    async fn all(&self) -> Result<Vec<WorkerSnapshot>, Status> {
        self.handle.ask(Message::Workers).await.map_err(status)
    }
}

#[tonic::async_trait]
impl WorkerService for Workers {
    async fn get_worker(
        &self,
        request: Request<v1::GetWorkerRequest>,
    ) -> Result<Response<v1::Worker>, Status> {
        let id: WorkerId = names::worker(&body(request).name).map_err(refused)?;
        let found = self.all().await?.into_iter().find(|worker| worker.worker == id);
        let worker = found.ok_or_else(|| status(unknown_worker(id)))?;
        Ok(Response::new(show::worker(&worker)))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let request = body(request);
        let mut all = self.all().await?;
        all.sort_by(|a, b| (&a.info.name, a.worker).cmp(&(&b.info.name, b.worker)));
        let name = |worker: &WorkerSnapshot| worker.worker.0;
        let (page, next_page_token) =
            names::page(all, request.page_size, &request.page_token, name).map_err(refused)?;
        let workers = page.iter().map(show::worker).collect();
        Ok(Response::new(v1::ListWorkersResponse { workers, next_page_token }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::Worker>, Status> {
        let caller = Caller::of(&request);
        let id = names::worker(&body(request).name).map_err(refused)?;
        caller.concerns(format!("workers/{id}"));
        let worker = self.handle.ask(|reply| Message::Drain(id, reply)).await.map_err(status)?;
        Ok(Response::new(show::worker(&worker)))
    }
}
