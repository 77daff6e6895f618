//! A peer made of libp2p's own parts, that says whatever a test wants.

use std::io;

use chorale_p2p::Multiaddr;
use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Codec, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, Stream, StreamProtocol, Swarm, Transport, noise, swarm, tcp, yamux};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::common::{CHAIN, patiently};

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    fetch: request_response::Behaviour<Raw>,
}

/// Request-response without any rule: writes what it is given, reads to the end.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: futures::AsyncRead + Unpin + Send,
    {
        read_all(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: futures::AsyncRead + Unpin + Send,
    {
        read_all(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: futures::AsyncWrite + Unpin + Send,
    {
        futures::AsyncWriteExt::write_all(io, &bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> io::Result<()>
    where
        T: futures::AsyncWrite + Unpin + Send,
    {
        futures::AsyncWriteExt::write_all(io, &bytes).await
    }
}

async fn read_all<T: futures::AsyncRead + Unpin>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    futures::AsyncReadExt::read_to_end(io, &mut bytes).await?;
    Ok(bytes)
}

/// What happened to an outsider.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    Listening(Multiaddr),
    Connected,
    Closed,
    Response(Vec<u8>),
    Failed,
}

pub(crate) struct Outsider {
    pub(crate) streams: libp2p_stream::Control,
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    requests: mpsc::UnboundedSender<(PeerId, Vec<u8>)>,
    task: JoinHandle<()>,
}

impl Drop for Outsider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Outsider {
    /// Listens on a free port and dials `target` if there is one. Answers every fetch with
    /// `answer`.
    pub(crate) fn start(key: &Keypair, target: Option<Multiaddr>, answer: Vec<u8>) -> Self {
        let mut swarm = build(key);
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        if let Some(target) = target {
            swarm.dial(target).unwrap();
        }
        let streams = swarm.behaviour().streams.new_control();
        let (sender, news) = mpsc::unbounded_channel();
        let (requests, orders) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(swarm, orders, sender, answer));
        Self { streams, news, requests, task }
    }

    pub(crate) async fn expect(&mut self, expected: News) {
        let wait = async {
            while let Some(news) = self.news.recv().await {
                if news == expected {
                    return;
                }
            }
            panic!("the outsider stopped");
        };
        patiently(&format!("{expected:?}"), wait).await;
    }

    pub(crate) async fn address(&mut self) -> Multiaddr {
        patiently("the outsider listens", async {
            loop {
                if let Some(News::Listening(address)) = self.news.recv().await {
                    return address;
                }
            }
        })
        .await
    }

    pub(crate) fn request(&self, to: PeerId, bytes: Vec<u8>) {
        self.requests.send((to, bytes)).unwrap();
    }

    /// Opens the stream protocol to `to`, to which it is connected.
    pub(crate) async fn open(
        &mut self,
        to: PeerId,
    ) -> Result<Stream, libp2p_stream::OpenStreamError> {
        patiently("a stream", self.streams.open_stream(to, stream_protocol())).await
    }
}

pub(crate) fn stream_protocol() -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/chorale/{CHAIN}/stream/1")).unwrap()
}

fn build(key: &Keypair) -> Swarm<Behaviour> {
    let prologue = format!("/chorale/{CHAIN}/noise/1").into_bytes();
    let transport = tcp::tokio::Transport::new(tcp::Config::new())
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(key).unwrap().with_prologue(prologue))
        .multiplex(yamux::Config::default())
        .boxed();
    let fetch = StreamProtocol::try_from_owned(format!("/chorale/{CHAIN}/fetch/1")).unwrap();
    let behaviour = Behaviour {
        streams: libp2p_stream::Behaviour::new(),
        fetch: request_response::Behaviour::new(
            [(fetch, ProtocolSupport::Full)],
            request_response::Config::default(),
        ),
    };
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(std::time::Duration::from_secs(600));
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config)
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    mut orders: mpsc::UnboundedReceiver<(PeerId, Vec<u8>)>,
    news: mpsc::UnboundedSender<News>,
    answer: Vec<u8>,
) {
    loop {
        let event = tokio::select! {
            Some((to, bytes)) = orders.recv() => {
                swarm.behaviour_mut().fetch.send_request(&to, bytes);
                continue;
            }
            event = swarm.select_next_some() => event,
        };
        let item = match event {
            SwarmEvent::NewListenAddr { address, .. } => News::Listening(address),
            SwarmEvent::ConnectionEstablished { .. } => News::Connected,
            SwarmEvent::ConnectionClosed { num_established: 0, .. } => News::Closed,
            SwarmEvent::OutgoingConnectionError { .. } => News::Failed,
            SwarmEvent::Behaviour(BehaviourEvent::Fetch(event)) => match event {
                request_response::Event::Message { message, .. } => match message {
                    request_response::Message::Response { response, .. } => {
                        News::Response(response)
                    }
                    request_response::Message::Request { channel, .. } => {
                        let _ = swarm.behaviour_mut().fetch.send_response(channel, answer.clone());
                        continue;
                    }
                },
                request_response::Event::OutboundFailure { .. } => News::Failed,
                _ => continue,
            },
            _ => continue,
        };
        if news.send(item).is_err() {
            return;
        }
    }
}
