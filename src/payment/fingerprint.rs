//! What tells one payment's body from another's under the same id, without keeping the body.

use super::{AccountType, Payment, Transaction};
use crate::digest::{Digest, DigestKey};

impl Payment {
    /// The digest of everything but the id. Written out field by field, because it is stored and has
    /// to be the same in every version.
    pub(super) fn fingerprint(&self, key: DigestKey) -> Digest {
        let mut digest = key.begin();
        let (kind, from, to) = match self.transaction {
            Transaction::Purchase { from, .. } => (1, from, AccountType::Default),
            Transaction::Withdrawal { from, .. } => (2, from, AccountType::Default),
            Transaction::Balance { from } => (3, from, AccountType::Default),
            Transaction::MiniStatement { from } => (4, from, AccountType::Default),
            Transaction::Transfer { from, to, .. } => (5, from, to),
        };
        digest.number(kind);
        digest.field(from.digits().as_bytes());
        digest.field(to.digits().as_bytes());
        let amount = self.transaction.amount();
        digest.number(amount.map_or(0, |money| money.amount_minor()));
        digest.field(&amount.map_or([0; 3], |money| money.currency().digits()));
        digest.field(self.bank.as_bytes());
        for field in [
            self.pan.digits(),
            &self.from_account_id,
            &self.to_account_id,
            &self.terminal_id,
            &self.merchant_id,
            &self.expiry,
            &self.retrieval_reference,
        ] {
            digest.field(field);
        }
        digest.number(self.elements.len() as u64);
        for (number, value) in &self.elements {
            digest.number(u64::from(*number));
            digest.field(value);
        }
        digest.end()
    }
}
