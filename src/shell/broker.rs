//! The embedded broker: for the demo, for tests, and for a home that has no broker yet.
//!
//! `rmqtt` with its stores for retained messages and shared subscriptions, on a thread and a runtime of its own. It has
//! neither users nor TLS, so it should listen on this machine alone; and nothing it holds outlives it. It ends the connection
//! of a client whose place another one takes, without saying why.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::thread::JoinHandle;
use std::time::Duration;

use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use tokio::sync::oneshot;

/// Largest packet that it takes. It must stay below what the link takes: the broker does not hold back a message that is
/// too large for a subscriber, it throws the subscriber out. As it is, it throws out the one who sends it.
pub const PACKET_BYTES_MAX: u32 = 1024 * 1024 + 4 * 1024;
/// Messages that wait for one client. The default of 1,000 drops bursts.
pub const CLIENT_QUEUE_MAX: usize = 100_000;
/// Publishes that one client may leave unacknowledged.
const IN_FLIGHT_MAX: NonZeroU16 = NonZeroU16::MIN.saturating_add(1_023);
/// Worker tasks of its executor. The default of 2,000 is made for a data centre.
const WORKERS: usize = 64;
/// Retained messages stay until they are replaced. By default they would go after five minutes.
const RETAINER_SETTINGS: &str = "retained_message_ttl = \"0s\"";
/// Identifies the one listener, whatever its port.
const LISTENER_ID: u16 = 1;

/// A broker that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct EmbeddedBroker {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedBroker {
    /// Binds the address (port 0 takes a free one) and serves it. When this returns, clients can connect.
    ///
    /// # Errors
    /// The address cannot be bound, or the broker cannot be set up. The text is for the owner.
    #[expect(clippy::disallowed_methods, reason = "the broker is a program of its own, beside the bridge's one thread")]
    pub fn start(listen: SocketAddr) -> Result<EmbeddedBroker, String> {
        let (stop, stopped) = oneshot::channel();
        let (ready, bound) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || serve(listen, &ready, stopped));
        let address = bound.recv().map_err(|_| "the embedded broker ended while it started".to_owned())??;
        Ok(EmbeddedBroker { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; its port is the one that was taken if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It has ended already if nobody hears this.
            stop.send(()).unwrap_or(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the broker's thread was printed where it happened; there is nothing left to stop.
            drop(thread.join());
        }
    }
}

type Ready = std::sync::mpsc::SyncSender<Result<SocketAddr, String>>;

fn serve(listen: SocketAddr, ready: &Ready, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return answer(ready, Err(format!("the embedded broker cannot start: {error}"))),
    };
    runtime.block_on(async {
        match prepare(listen).await {
            Ok((server, address)) => {
                answer(ready, Ok(address));
                tokio::select! {
                    _ = server.run() => {}
                    _ = stopped => {}
                }
            }
            Err(error) => answer(ready, Err(error)),
        }
    });
    // Tasks of clients that are still connected end here and now.
    runtime.shutdown_background();
}

fn answer(ready: &Ready, result: Result<SocketAddr, String>) {
    // The one who started it waits for exactly one answer; if it is gone, the stop signal is gone with it.
    drop(ready.send(result));
}

async fn prepare(listen: SocketAddr) -> Result<(MqttServer, SocketAddr), String> {
    let (listener, address) = bind(listen)?;
    let failed = |error: rmqtt::Error| format!("the embedded broker cannot start: {error}");
    let context = ServerContext::new()
        .task_exec_workers(WORKERS)
        .plugins_config_map_add("rmqtt-retainer", RETAINER_SETTINGS)
        .build()
        .await;
    // Without these two it accepts retained messages and shared subscriptions, and delivers nothing.
    rmqtt_retainer::register(&context, true, true).await.map_err(failed)?;
    rmqtt_shared_subscription::register(&context, true, true).await.map_err(failed)?;
    Ok((MqttServer::new(context).listener_by_id(listener, LISTENER_ID).build(), address))
}

fn bind(listen: SocketAddr) -> Result<(Listener, SocketAddr), String> {
    let builder = Builder::new()
        .name("embedded")
        .laddr(listen)
        .nodelay(true)
        // A restart must not wait for connections of the last run to be forgotten. On Windows the option means
        // something else: that two programs may have the same port.
        .reuseaddr(cfg!(unix).then_some(true))
        .allow_anonymous(true)
        .max_packet_size(PACKET_BYTES_MAX)
        .max_mqueue_len(CLIENT_QUEUE_MAX)
        .max_inflight(IN_FLIGHT_MAX)
        // None, unless the sender says one. The default would put five minutes on every message.
        .message_expiry_interval(Duration::ZERO);
    let refused = |error: rmqtt::Error| match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::AddrInUse) => format!(
            "the embedded broker cannot listen on `{listen}`: another program does\n\
             help: if that is your broker, set `broker.url` to `mqtt://localhost:{}`; otherwise write another port",
            listen.port()
        ),
        _ => format!("the embedded broker cannot listen on `{listen}`: {error}"),
    };
    let listener = builder.bind().map_err(refused)?.tcp().map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named_with_a_way_out() {
        let first = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap();
        let error = EmbeddedBroker::start(first.address()).unwrap_err();
        let expected = format!("the embedded broker cannot listen on `{}`: another program does", first.address());
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains(&format!("`mqtt://localhost:{}`", first.address().port())), "{error}");
    }

    #[test]
    fn it_can_be_stopped_and_started_again_on_the_same_port() {
        let first = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap();
        let address = first.address();
        drop(first);
        let second = EmbeddedBroker::start(address).unwrap();
        assert_eq!(second.address(), address);
    }
}
