//! Who may be in a set at all. With real BLS.

use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::ed25519::{PublicKey, SecretKey};
use chorale_types::crypto::pure::Pure;
use chorale_types::genesis::{GenesisError, GenesisValidator, possession_binding};

fn validator(at: u8) -> GenesisValidator {
    let (secret, public) = (Pure::secret_from_seed(&[at; 32]), |kind: u8| -> PublicKey {
        SecretKey::from_seed([at + kind; 32]).public()
    });
    let operator = public(50);
    GenesisValidator {
        name: format!("validator-{at}"),
        operator,
        bls: Pure::public(&secret),
        possession: Pure::prove(&secret, &possession_binding("real", &operator)),
        network: public(100),
        stake: 1,
    }
}

pub(super) fn a_key_without_proof_of_possession_is_refused() {
    let mut genesis = crate::sim::schedule::cluster_of(4, 0).genesis;
    genesis.chain_name = "real".to_owned();
    genesis.validators = (1..=4).map(validator).collect();
    assert_eq!(genesis.validate::<Pure>(), Ok(()));
    genesis.validators[2].possession = genesis.validators[1].possession;
    let refused = Err(GenesisError::BadPossession { index: 2 });
    assert_eq!(genesis.validate::<Pure>(), refused, "another's proof proves nothing");
}
