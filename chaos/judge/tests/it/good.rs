//! Good histories, made up: real keys, real signatures, a real chain of blocks, and what nodes, a
//! load and followers would have written down of it.

pub mod blocks;
pub mod follow;
pub mod history;
pub mod keys;
pub mod record;

use chorale_judge::genesis::Chain;
use chorale_judge::leaders::Leaders;
use chorale_judge::wire::Id;
use chorale_judge::wire::certificate::{Qc, Tc};
use chorale_judge::wire::genesis::GenesisFields;
use keys::Keys;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The moment at which loads begin, in nanoseconds of their clock.
pub const LOAD_START: u64 = 5_000_000_000;
/// The same moment on the wall, in milliseconds.
pub const WALL_START: u64 = 1_800_000_000_000;
/// Between two blocks, in nanoseconds.
pub const BLOCK_NS: u64 = 40_000_000;

/// Choices.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// What sort of chain.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub stakes: Vec<u64>,
    pub rollups: u64,
    pub heights: u64,
}

impl Plan {
    /// The chain that bad histories are planted in.
    pub fn plain() -> Self {
        Self { seed: 1, stakes: vec![3, 2, 2, 3], rollups: 2, heights: 10 }
    }

    /// Some chain.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let members = [1, 4, 4, 5, 7][usize::try_from(random.below(5)).unwrap()];
        // Nobody has a third: stakes of 4 to 5 among four or more.
        let stakes = (0..members).map(|_| 4 + random.below(2)).collect();
        Self { seed, stakes, rollups: 1 + random.below(3), heights: 5 + random.below(6) }
    }
}

/// A transaction of the load.
#[derive(Clone, Debug)]
pub struct Tx {
    pub id: Id,
    pub rollup: u64,
    pub payload: Vec<u8>,
    /// The node it was sent to.
    pub node: u16,
    /// Another that it was sent to as well.
    pub copy: Option<u16>,
    /// When it was sent.
    pub at: u64,
    pub request: u64,
    pub index: u64,
}

/// A view: given up, or with a block.
#[derive(Clone, Debug)]
pub enum View {
    GivenUp { view: u64, lock: Qc, tc: Box<Tc> },
    Block { made: usize },
}

/// A chain, and everything that its members know of it.
pub struct World {
    pub plan: Plan,
    pub keys: Keys,
    pub fields: GenesisFields,
    pub chain: Chain,
    pub leaders: Leaders,
    pub views: Vec<View>,
    pub made: Vec<blocks::Made>,
    pub load: Vec<Tx>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed);
        let keys = Keys::draw(&mut random, plan.stakes.len());
        let fields = keys::genesis(&keys, &plan);
        let chain = Chain::new(&fields).unwrap();
        let leaders = Leaders::of(&chain);
        let (views, made, load) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = Self { plan, keys, fields, chain, leaders, views, made, load };
        blocks::grow(&mut world, &mut random);
        world
    }

    pub fn members(&self) -> u16 {
        self.chain.members()
    }

    /// Some members with the stake of a quorum.
    pub fn some_quorum(&self, random: &mut Random) -> Vec<u16> {
        let mut places: Vec<u16> = (0..self.members()).collect();
        for left in (1..places.len()).rev() {
            let other = usize::try_from(random.below(u64::try_from(left + 1).unwrap())).unwrap();
            places.swap(left, other);
        }
        let mut count = 0;
        while self.chain.stake(places[..count].iter().copied()) < self.chain.quorum() {
            count += 1;
        }
        places.truncate(count);
        places.sort_unstable();
        places
    }
}
