//! What a testnet asks its nodes beside the load: whether they are ready, where they stand, what
//! their counters say and when a block was made.

use anyhow::{Context, Result, bail};
use chorale_client::api::{Block, Status, Transaction};
use chorale_types::level::Level;
use chorale_types::transaction::TransactionId;
use std::time::Duration;

/// Longest wait for an answer to one of these small questions.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// A client for these questions; cheap to clone.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
}

impl Http {
    /// A client.
    ///
    /// # Errors
    /// When the system offers no sockets.
    pub fn new() -> Result<Self> {
        let client = reqwest::Client::builder().timeout(ANSWER_LIMIT).no_proxy().build()?;
        Ok(Self { client })
    }

    async fn get(&self, url: String) -> Result<reqwest::Response> {
        let answer = self.client.get(&url).send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| url.clone())?;
        if !answer.status().is_success() {
            let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
            bail!("{url}: {status} {}", text.trim());
        }
        Ok(answer)
    }

    /// Whether the node at `base` is ready.
    ///
    /// # Errors
    /// With why it is not.
    pub async fn ready(&self, base: &str) -> Result<()> {
        self.get(format!("{base}/readyz")).await.map(drop)
    }

    /// Where the node at `base` stands.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status(&self, base: &str) -> Result<Status> {
        Ok(self.get(format!("{base}/v1/status")).await?.json().await?)
    }

    /// The value of a counter of the node at `base`, over all its labels.
    ///
    /// # Errors
    /// When the node does not answer or has no such counter.
    pub async fn counter(&self, base: &str, name: &str) -> Result<u64> {
        let text = self.get(format!("{base}/metrics")).await?.text().await?;
        counter_in(&text, name).with_context(|| format!("{base} has no counter {name}"))
    }

    /// The time of the block at `height`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// When the node does not answer or does not have it.
    pub async fn block_time(&self, base: &str, height: u64) -> Result<u64> {
        let answer = self.get(format!("{base}/v1/blocks/{height}")).await?;
        Ok(answer.json::<Block>().await?.header.time.as_millis())
    }

    /// Whether the node at `base` says that a transaction is final.
    ///
    /// # Errors
    /// When it does not answer or does not know the transaction.
    pub async fn is_final(&self, base: &str, rollup: u64, id: &TransactionId) -> Result<bool> {
        let answer = self.get(format!("{base}/v1/rollups/{rollup}/transactions/{id}")).await?;
        Ok(answer.json::<Transaction>().await?.level == Level::Final)
    }
}

/// Adds up a counter over its labels in the text form of metrics. Counters are whole numbers, but
/// the format may spell them with a fraction.
fn counter_in(text: &str, name: &str) -> Option<u64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        let whole = value.split_whitespace().next()?.split('.').next()?;
        whole.parse::<u64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0_u64).saturating_add(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_added_over_labels_and_told_apart_by_whole_name() {
        let text = "# TYPE a counter\na_total{kind=\"x } y\"} 3\na_total{kind=\"z\"} 4.0\n\
                    a_total_more 9\nb_total 5 1700000000\n";
        assert_eq!(counter_in(text, "a_total"), Some(7));
        assert_eq!(counter_in(text, "b_total"), Some(5));
        assert_eq!(counter_in(text, "c_total"), None);
    }
}
