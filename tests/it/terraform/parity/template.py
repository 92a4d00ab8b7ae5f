"""Prints a CloudFormation template as JSON, its short forms (!Sub) written out (Fn::Sub)."""

import json
import sys

import yaml


class Template(yaml.SafeLoader):
    pass


def function(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        # !GetAtt Queue.Arn
        return {name: value.split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Template.add_multi_constructor("!", function)
json.dump(yaml.load(sys.stdin, Template), sys.stdout)
