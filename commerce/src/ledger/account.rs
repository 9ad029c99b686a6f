//! The accounts that the books have, and nothing else may be an account.

use std::{fmt, str::FromStr};

use crate::{
    money::Vnd,
    word::{CardTypeId, Id},
};

/// An account, by what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// What a customer has to talk and to buy with.
    CustomerAirtime(Id),
    /// What an agent has paid in advance.
    AgentDeposit(Id),
    /// What is owed to a merchant.
    MerchantPayable(Id),
    /// What was paid for prepaid cards that nobody has redeemed yet.
    PrepaidUnredeemed,
    /// What a bank has taken in or paid out for us.
    BankSettlement(Id),
    /// What a telco owes us.
    TelcoReceivable(Id),
    /// The cards of a type that are in stock.
    Stock(CardTypeId),
    /// What is set aside for a purchase.
    Hold(Id),
    /// What nobody can say yet whose it is.
    Suspense,
    /// What we earn.
    Fees,
    /// What we pay to those who sell for us.
    Commission,
    /// What we gave back at our own cost.
    Refunds,
}

/// On which side an account grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What we have, and what we spend.
    Debit,
    /// What we owe, and what we earn.
    Credit,
}

impl Side {
    /// What a debit of 1 does to a balance.
    pub(super) fn sign(self) -> i64 {
        match self {
            Self::Debit => 1,
            Self::Credit => -1,
        }
    }
}

/// Between what a balance has to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The least.
    pub floor: Option<Vnd>,
    /// The most.
    pub ceiling: Option<Vnd>,
}

impl Account {
    /// On which side it grows.
    pub fn side(&self) -> Side {
        match self {
            Self::BankSettlement(_)
            | Self::TelcoReceivable(_)
            | Self::Stock(_)
            | Self::Suspense
            | Self::Commission
            | Self::Refunds => Side::Debit,
            Self::CustomerAirtime(_)
            | Self::AgentDeposit(_)
            | Self::MerchantPayable(_)
            | Self::PrepaidUnredeemed
            | Self::Hold(_)
            | Self::Fees => Side::Credit,
        }
    }

    /// The limits of a new account: nobody spends what he has not paid in.
    pub fn first_limits(&self) -> Limits {
        let floor = (self.can_be_held() || matches!(self, Self::Hold(_))).then_some(Vnd::ZERO);
        Limits {
            floor,
            ceiling: None,
        }
    }

    /// Whether it is somebody's money, of which some can be set aside.
    pub fn can_be_held(&self) -> bool {
        matches!(
            self,
            Self::CustomerAirtime(_)
                | Self::AgentDeposit(_)
                | Self::MerchantPayable(_)
                | Self::PrepaidUnredeemed
        )
    }

    /// The first word of its name, by which the trial balance gathers accounts.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::CustomerAirtime(_) => "customer",
            Self::AgentDeposit(_) => "agent",
            Self::MerchantPayable(_) => "merchant",
            Self::PrepaidUnredeemed => "prepaid",
            Self::BankSettlement(_) => "bank",
            Self::TelcoReceivable(_) => "telco",
            Self::Stock(_) => "stock",
            Self::Hold(_) => "hold",
            Self::Suspense => "suspense",
            Self::Fees => "fees",
            Self::Commission => "commission",
            Self::Refunds => "refunds",
        }
    }
}

/// Its name in the books.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match self {
            Self::CustomerAirtime(id) => write!(f, "{kind}:{id}:airtime"),
            Self::AgentDeposit(id) => write!(f, "{kind}:{id}:deposit"),
            Self::MerchantPayable(id) => write!(f, "{kind}:{id}:payable"),
            Self::PrepaidUnredeemed => write!(f, "{kind}:unredeemed"),
            Self::BankSettlement(id) => write!(f, "{kind}:{id}:settlement"),
            Self::TelcoReceivable(id) => write!(f, "{kind}:{id}:receivable"),
            Self::Stock(card_type) => write!(f, "{kind}:{card_type}"),
            Self::Hold(id) => write!(f, "{kind}:{id}"),
            Self::Suspense => write!(f, "{kind}:unknown"),
            Self::Fees | Self::Commission | Self::Refunds => f.write_str(kind),
        }
    }
}

/// A text that names no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of an account, as agent:ID:deposit")]
pub struct AccountFault;

impl FromStr for Account {
    type Err = AccountFault;

    fn from_str(name: &str) -> Result<Self, AccountFault> {
        let id = |text: &str| text.parse::<Id>().map_err(|_| AccountFault);
        let words: Vec<&str> = name.split(':').collect();
        Ok(match words[..] {
            ["customer", customer, "airtime"] => Self::CustomerAirtime(id(customer)?),
            ["agent", agent, "deposit"] => Self::AgentDeposit(id(agent)?),
            ["merchant", merchant, "payable"] => Self::MerchantPayable(id(merchant)?),
            ["prepaid", "unredeemed"] => Self::PrepaidUnredeemed,
            ["bank", bank, "settlement"] => Self::BankSettlement(id(bank)?),
            ["telco", telco, "receivable"] => Self::TelcoReceivable(id(telco)?),
            ["stock", card_type] => Self::Stock(card_type.parse().map_err(|_| AccountFault)?),
            ["hold", purchase] => Self::Hold(id(purchase)?),
            ["suspense", "unknown"] => Self::Suspense,
            ["fees"] => Self::Fees,
            ["commission"] => Self::Commission,
            ["refunds"] => Self::Refunds,
            _ => return Err(AccountFault),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_found_by_its_name() {
        for name in [
            "customer:84912345678:airtime",
            "agent:shop-1:deposit",
            "merchant:m.2:payable",
            "prepaid:unredeemed",
            "bank:vcb:settlement",
            "telco:mobi:receivable",
            "stock:MOBI100",
            "hold:p_7",
            "suspense:unknown",
            "fees",
            "commission",
            "refunds",
        ] {
            let account: Account = name.parse().unwrap();
            assert_eq!(account.to_string(), name);
            assert_eq!(name.split(':').next(), Some(account.kind()));
        }
    }

    #[test]
    fn a_name_that_is_nearly_one_is_none() {
        for name in [
            "",
            "agent",
            "agent::deposit",
            "agent:a:airtime",
            "agent:a:deposit:x",
            "agent:a b:deposit",
            "stock:mobi",
            "fees:x",
            "Fees",
        ] {
            assert_eq!(name.parse::<Account>(), Err(AccountFault), "{name}");
        }
    }

    #[test]
    fn only_what_is_somebodys_money_starts_with_a_floor() {
        let floor = |name: &str| name.parse::<Account>().unwrap().first_limits().floor;
        assert_eq!(floor("agent:a:deposit"), Some(Vnd::ZERO));
        assert_eq!(floor("hold:p"), Some(Vnd::ZERO));
        assert_eq!(floor("bank:b:settlement"), None);
        assert_eq!(floor("fees"), None);
    }
}
