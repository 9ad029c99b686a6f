//! The Totals service: what a bank and Sampan say of a settlement day, for operators.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    payments::translate::told_elements,
    proto::{self, DayTotals, GetTotalsRequest},
    reversals::operator,
};
use crate::payment::{Balance, Payments, SettlementDay};

/// `sampan.v1.Totals`
pub(super) struct TotalsService {
    payments: Arc<Payments>,
}

impl TotalsService {
    pub(super) fn new(payments: Arc<Payments>) -> Self {
        Self { payments }
    }
}

#[tonic::async_trait]
impl proto::totals_server::Totals for TotalsService {
    async fn get(&self, request: Request<GetTotalsRequest>) -> Result<Response<DayTotals>, Status> {
        operator(&request)?;
        let GetTotalsRequest { bank, day } = request.into_inner();
        let settlement_day = SettlementDay::parse(day.as_bytes())
            .ok_or_else(|| Status::invalid_argument("day: is not MMDD, four digits"))?;
        let books = self.payments.books(&bank, settlement_day).await;
        let books = books.ok_or_else(|| {
            Status::not_found(format!(
                "bank: there is no bank {bank:?}; `sampan links` lists them"
            ))
        })?;
        let balance = match books.balance() {
            Balance::In => proto::Balance::In,
            Balance::Out => proto::Balance::Out,
            Balance::Incomparable => proto::Balance::Incomparable,
        };
        Ok(Response::new(DayTotals {
            bank,
            day,
            reconciliation: Some(proto::Reconciliation {
                balance: balance.into(),
                ours: told_elements(&books.ours.elements()),
                open: books.ours.open,
            }),
            theirs: told_elements(&books.theirs),
        }))
    }
}
