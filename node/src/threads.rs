//! The node's own threads: named, joined at the end, and the end of the node when one of them
//! panics, for a panic is a bug and what it leaves behind cannot be trusted. Likewise its tasks,
//! which moreover end only when the node does: a node without one of them is deaf or mute.

use crate::stop::Stopper;
use std::future::Future;
use std::io;
use std::thread::{Builder, JoinHandle};

/// Threads under way.
pub struct Threads {
    stopper: Stopper,
    handles: Vec<(&'static str, JoinHandle<()>)>,
}

/// Stops the node if its thread unwinds.
struct Guard {
    name: &'static str,
    stopper: Stopper,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stopper.fail(format!("thread {} panicked", self.name));
        }
    }
}

/// Stops the node if its task ends before it.
struct TaskGuard {
    name: &'static str,
    stopper: Stopper,
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stopper.fail(format!("task {} panicked", self.name));
        } else if !self.stopper.token().is_cancelled() {
            self.stopper.fail(format!("task {} ended before the node", self.name));
        }
    }
}

/// Starts a task that is to end only when the node stops.
pub fn spawn_task(
    name: &'static str,
    stopper: &Stopper,
    work: impl Future<Output = ()> + Send + 'static,
) -> tokio::task::JoinHandle<()> {
    let guard = TaskGuard { name, stopper: stopper.clone() };
    tokio::spawn(async move {
        let _guard = guard;
        work.await;
    })
}

impl Threads {
    /// None yet.
    #[must_use]
    pub const fn new(stopper: Stopper) -> Self {
        Self { stopper, handles: Vec::new() }
    }

    /// Starts one.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn spawn(
        &mut self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let guard = Guard { name, stopper: self.stopper.clone() };
        let spawned = Builder::new().name(name.to_owned()).spawn(move || {
            let _guard = guard;
            work();
        });
        self.handles.push((name, spawned?));
        Ok(())
    }

    /// Waits until those of one name have ended. A panic was told already.
    pub fn join(&mut self, name: &str) {
        let (ended, rest) = self.handles.drain(..).partition(|(known, _)| *known == name);
        self.handles = rest;
        let ended: Vec<(&str, JoinHandle<()>)> = ended;
        for (_, handle) in ended {
            let _ = handle.join();
        }
    }

    /// Waits until all have ended.
    pub fn join_all(&mut self) {
        for (_, handle) in self.handles.drain(..) {
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_thread_stops_the_node() {
        let stopper = Stopper::default();
        let mut threads = Threads::new(stopper.clone());
        threads.spawn("fine", || {}).unwrap();
        threads.spawn("broken", || panic!("a bug")).unwrap();
        threads.join("fine");
        threads.join_all();
        assert!(stopper.token().is_cancelled());
        assert_eq!(stopper.failure().as_deref(), Some("thread broken panicked"));
    }
    #[tokio::test]
    async fn a_task_that_panics_or_ends_stops_the_node() {
        let stopper = Stopper::default();
        assert!(spawn_task("broken", &stopper, async { panic!("a bug") }).await.is_err());
        assert_eq!(stopper.failure().as_deref(), Some("task broken panicked"));
        assert!(stopper.token().is_cancelled());

        let stopper = Stopper::default();
        spawn_task("deaf", &stopper, async {}).await.unwrap();
        assert_eq!(stopper.failure().as_deref(), Some("task deaf ended before the node"));
    }

    #[tokio::test]
    async fn a_task_that_ends_with_the_node_is_no_failure() {
        let stopper = Stopper::default();
        let token = stopper.token().clone();
        let task = spawn_task("fine", &stopper, async move { token.cancelled().await });
        stopper.token().cancel();
        task.await.unwrap();
        assert_eq!(stopper.failure(), None);
    }
}
