//! The calls of the plugin protocol: messages in, messages out.

use std::cell::RefCell;
use std::path::PathBuf;

use prost::Message;
use rmpv::Value;
use tokio::sync::watch;

use crate::account::Account;
use crate::apply::{Applied, Kind};
use crate::data;
use crate::documented::Documented;
use crate::faults::{Action, Planted};
use crate::plan::plan;
use crate::schema::Schemas;
use crate::validate::validate;
use crate::value::{decode, encode, set};
use crate::wire::{
    ApplyResponse, ChangeRequest, Diagnostic, Diagnostics, ImportRequest, ImportResponse, PlanResponse, Problem,
    ReadResponse, Result, TypedValue, UpgradeRequest, UpgradeResponse, UpgradedState, attribute_path,
};
use crate::world::World;

/// The schema that derive.py wrote.
const SCHEMA: &str = "TEST_PROVIDER_SCHEMA";
/// The folder that stands for AWS.
const WORLD: &str = "TEST_PROVIDER_WORLD";
/// An S3 that gets the objects as well.
const MIRROR: &str = "TEST_PROVIDER_S3";

pub struct Provider {
    schemas: Schemas,
    documented: Documented,
    world: Option<World>,
    account: RefCell<Option<Account>>,
    stop: watch::Sender<bool>,
}

impl Provider {
    pub fn load() -> std::result::Result<Self, String> {
        let schema = std::env::var_os(SCHEMA).ok_or_else(|| format!("{SCHEMA} names no schema"))?;
        let schemas = Schemas::read(&PathBuf::from(schema))?;
        let documented = Documented::load().map_err(|error| format!("documented/*.json: {error}"))?;
        if let Some(name) = documented.misplaced(&schemas) {
            return Err(format!("documented/*.json: the schema has no {name}"));
        }
        Ok(Provider {
            schemas,
            documented,
            world: std::env::var_os(WORLD)
                .map(|folder| World::at(PathBuf::from(folder)).mirrored(std::env::var(MIRROR).ok().as_deref())),
            account: RefCell::new(None),
            stop: watch::Sender::new(false),
        })
    }

    /// None for what is not offered.
    pub async fn call(&self, method: &str, message: &[u8]) -> Option<Vec<u8>> {
        Some(match method {
            "GetProviderSchema" => self.schemas.to_wire(&self.documented).encode_to_vec(),
            "ValidateProviderConfig" => Vec::new(),
            "ValidateResourceConfig" => self.validate(&read(message)?, false).encode_to_vec(),
            "ValidateDataResourceConfig" => self.validate(&read(message)?, true).encode_to_vec(),
            "ConfigureProvider" => self.configure(&read(message)?).encode_to_vec(),
            "UpgradeResourceState" => upgrade(read(message)?).encode_to_vec(),
            "ReadResource" => self.read_resource(&read(message)?).await.encode_to_vec(),
            "PlanResourceChange" => self.plan(&read(message)?).encode_to_vec(),
            "ApplyResourceChange" => self.apply(&read(message)?).await.encode_to_vec(),
            "ImportResourceState" => self.import(read(message)?).encode_to_vec(),
            "ReadDataSource" => self.read_data_source(&read(message)?).encode_to_vec(),
            "StopProvider" => {
                self.stop.send_replace(true);
                Vec::new()
            }
            _ => return None,
        })
    }

    fn configure(&self, request: &TypedValue) -> Diagnostics {
        let configured = Account::configured(&decode(request.value.as_ref()), |name| std::env::var(name).ok());
        let configured = configured.and_then(|account| match &self.world {
            Some(_) => Ok(account),
            None => Err(Problem::new(format!("{WORLD} does not name the folder that stands for AWS"))),
        });
        match configured {
            Ok(account) => {
                self.account.replace(Some(account));
                Diagnostics::default()
            }
            Err(problem) => vec![problem].into(),
        }
    }

    fn validate(&self, request: &TypedValue, data: bool) -> Diagnostics {
        let name = &request.type_name;
        let (schemas, facts) = if data {
            (&self.schemas.data_sources, self.documented.data_source(name))
        } else {
            (&self.schemas.resources, self.documented.resource(name))
        };
        let Some(schema) = schemas.get(name) else { return vec![not_served(name)].into() };
        validate(&schema.block, facts, &mut decode(request.value.as_ref())).into()
    }

    /// Calls with what a type needs, once the provider is configured.
    fn with_kind<T>(&self, name: &str, account: &Account, call: impl FnOnce(&Kind<'_>) -> Result<T>) -> Result<T> {
        call(&self.kind(name, account)?)
    }

    fn kind<'a>(&'a self, name: &'a str, account: &'a Account) -> Result<Kind<'a>> {
        let schema = self.schemas.resources.get(name).ok_or_else(|| not_served(name))?;
        let facts = self.documented.resource(name);
        Ok(Kind { name, block: &schema.block, facts, account, world: self.world()? })
    }

    fn world(&self) -> Result<&World> {
        self.world.as_ref().ok_or_else(not_configured)
    }

    fn account(&self) -> Result<Account> {
        self.account.borrow().clone().ok_or_else(not_configured)
    }

    async fn read_resource(&self, request: &ReadRequest) -> ReadResponse {
        answer(self.look(&request.type_name, &decode(request.value.as_ref())).await)
    }

    async fn look(&self, name: &str, prior: &Value) -> Result<Value> {
        let account = self.account()?;
        let kind = self.kind(name, &account)?;
        let Some(place) = kind.place(prior) else { return Ok(Value::Nil) };
        kind.record("read", &place)?;
        let file = kind.world.faults();
        let planted = Planted::new(&file, &place, Action::Read);
        planted.before()?;
        planted.after(self.stopped()).await?;
        kind.read_back(&place)
    }

    /// Resolves once Terraform asks to stop.
    fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            // Fails only without a sender, and this provider is the sender.
            stop.wait_for(|stop| *stop).await.ok();
        }
    }

    fn read_data_source(&self, request: &TypedValue) -> ReadResponse {
        let name = &request.type_name;
        answer(self.account().and_then(|account| {
            let schema = self.schemas.data_sources.get(name).ok_or_else(|| not_served(name))?;
            let facts = self.documented.data_source(name);
            data::read(name, &schema.block, facts, &account, self.world()?, decode(request.value.as_ref()))
        }))
    }

    fn plan(&self, request: &ChangeRequest) -> PlanResponse {
        let planned = self.account().and_then(|account| {
            self.with_kind(&request.type_name, &account, |kind| {
                let (prior, proposed) = (decode(request.prior.as_ref()), decode(request.next.as_ref()));
                Ok(plan(kind.block, kind.facts, &account, &prior, proposed))
            })
        });
        match planned {
            Ok(plan) => PlanResponse {
                planned: encode(&plan.planned),
                requires_replace: plan.replace.iter().map(|name| attribute_path(name)).collect(),
                diagnostics: Vec::new(),
                legacy_type_system: true,
            },
            Err(problem) => PlanResponse { diagnostics: vec![problem.into()], ..PlanResponse::default() },
        }
    }

    async fn apply(&self, request: &ChangeRequest) -> ApplyResponse {
        let (prior, planned) = (decode(request.prior.as_ref()), decode(request.next.as_ref()));
        let applied = match self.account() {
            Err(problem) => Applied { state: prior, problem: Some(problem) },
            Ok(account) => match self.kind(&request.type_name, &account) {
                Err(problem) => Applied { state: prior, problem: Some(problem) },
                Ok(kind) => kind.apply(prior, planned, self.stopped()).await,
            },
        };
        ApplyResponse {
            state: encode(&applied.state),
            diagnostics: applied.problem.into_iter().map(Diagnostic::from).collect(),
            legacy_type_system: true,
        }
    }

    /// By the key that names it. What is not there comes back with nothing but an id, and reading it finds nothing.
    fn import(&self, request: ImportRequest) -> ImportResponse {
        let found = self.account().and_then(|account| {
            self.with_kind(&request.type_name, &account, |kind| {
                let mut object = kind.block.null();
                set(&mut object, "id", Value::from(request.id.as_str()));
                let place = kind.keyed(&object, request.id.clone());
                Ok(place.map(|place| kind.world.look(&place)).transpose()?.flatten().unwrap_or(object))
            })
        });
        let type_name = request.type_name;
        match found {
            Ok(object) => ImportResponse {
                imported: vec![TypedValue { type_name, value: encode(&object) }],
                diagnostics: Vec::new(),
            },
            Err(problem) => ImportResponse { imported: Vec::new(), diagnostics: vec![problem.into()] },
        }
    }
}

type ReadRequest = TypedValue;

fn read<M: Message + Default>(message: &[u8]) -> Option<M> {
    M::decode(message).ok()
}

fn answer(read: Result<Value>) -> ReadResponse {
    match read {
        Ok(value) => ReadResponse { value: encode(&value), diagnostics: Vec::new() },
        Err(problem) => ReadResponse { value: None, diagnostics: vec![problem.into()] },
    }
}

/// The schema has one version, so that a state is never of an older one.
fn upgrade(request: UpgradeRequest) -> UpgradeResponse {
    let json = request.raw_state.map(|raw| raw.json).unwrap_or_default();
    UpgradeResponse { upgraded_state: Some(UpgradedState { json }) }
}

fn not_served(name: &str) -> Problem {
    Problem::new(format!("the test provider does not serve {name}: add it to wanted.txt"))
}

fn not_configured() -> Problem {
    Problem::new("the provider is not configured")
}
