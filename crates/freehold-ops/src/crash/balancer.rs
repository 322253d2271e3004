//! One address for a service with several instances.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// A running balancer. It looks at connections, not at requests, and knows nothing of health: an instance that is frozen
/// gets its share and does not answer, as behind a balancer whose next look is due. Dropping it ends it; connections end
/// with either side.
#[derive(Debug)]
pub struct Balancer {
    port: u16,
    listening: AbortHandle,
}

impl Balancer {
    /// Listens on the given socket of 127.0.0.1; each connection goes to the next of `instances` (ports on 127.0.0.1)
    /// that accepts it, and is closed when none does.
    ///
    /// # Errors
    /// When the socket has no address.
    pub fn start(listener: TcpListener, instances: Vec<u16>) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        let instances = Arc::new(instances);
        let turn = AtomicUsize::new(0);
        let listening = tokio::spawn(async move {
            loop {
                if let Ok((client, _)) = listener.accept().await {
                    let first = turn.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(carry(client, Arc::clone(&instances), first));
                }
            }
        });
        Ok(Self {
            port,
            listening: listening.abort_handle(),
        })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn carry(mut client: TcpStream, instances: Arc<Vec<u16>>, first: usize) {
    for place in 0..instances.len() {
        let port = instances[(first + place) % instances.len()];
        let Ok(mut instance) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        // Without it small answers would wait for the other side's delayed acknowledgement.
        let _ = client.set_nodelay(true).and_then(|()| instance.set_nodelay(true));
        let _ = tokio::io::copy_bidirectional(&mut client, &mut instance).await;
        return;
    }
}
