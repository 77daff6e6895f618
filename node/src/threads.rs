//! The node's own threads: named, joined at the end, and the end of the node when one of them
//! panics, for a panic is a bug and what it leaves behind cannot be trusted.

use crate::stop::Stopper;
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
}
