mod invoke;
mod logs;
mod ls;
mod pause;
