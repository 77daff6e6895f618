use super::*;
use crate::testing::{batches, chain};
use chorale_types::codec::decode_exact;
use chorale_types::crypto::ed25519::SecretKey;
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::SignedHeader;
use std::collections::VecDeque;
use std::sync::Mutex;

/// Votes, timeouts and proposals can only be made by the replica: [`crate::persist`] tests those.
#[test]
fn acknowledgements_are_signed_sent_and_given_back_and_other_messages_only_sent() {
    let (chain, network) = (chain(1), SecretKey::from_seed([5; 32]));
    let batch = &batches(&chain, 1)[0];
    let statement = batch.header.acknowledgement();
    let signed = SignedHeader { header: batch.header, signature: batch.owner_signature };
    let to = Recipients::One(ValidatorIndex::new(2));
    let outbox = Outbox::default();
    let plain = Message::Batch(Arc::clone(batch));
    for one in [
        Statement::Message(plain.clone()),
        Statement::Rescue(signed),
        Statement::Acknowledge(statement),
    ] {
        outbox.push(rank_of(&one), (to, one));
    }
    outbox.close();

    let keys = NodeKeys { bls: Fast::secret_from_seed(&[4; 32]), network: network.clone() };
    let signer = Signer::new(Arc::new(keys), *chain.set().chain());
    let sent = Arc::new(Mutex::new(Vec::new()));
    let outbound = {
        let sent = Arc::clone(&sent);
        Outbound::new(move |to, class, bytes| {
            let message: Message = decode_exact(&bytes).unwrap();
            assert_eq!(class, class_of(&message));
            sent.lock().unwrap().push((to, message));
        })
    };
    let inbox = Inbox::default();
    run(&outbox, &signer, &outbound, &inbox, None);

    let signature = network.sign(&statement.signing_bytes(chain.set().chain()));
    let ack = Message::Ack(AckMessage { statement, signature });
    let rescue = Message::Rescue(RescueMessage {
        header: batch.header,
        owner_signature: batch.owner_signature,
        signature,
    });
    let expected = [plain, rescue.clone(), ack.clone()].map(|message| (to, message));
    assert_eq!(*sent.lock().unwrap(), expected);
    let mut back = VecDeque::new();
    inbox.take(&mut back, None).unwrap();
    assert_eq!(back, [Input::Own(rescue), Input::Own(ack)]);
}
