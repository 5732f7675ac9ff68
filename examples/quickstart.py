import flagcore

client = flagcore.connect("examples/shop")  # a file or a folder: checked, compiled, watched
context = {"targetingKey": "u-7", "country": "DE", "device": "app", "app_version": "2.9.0"}
staff = {**context, "email": "eva@corner.example"}

print(client.get_boolean_value("checkout.new", False, staff))  # True
details = client.get_boolean_details("checkout.new", False, staff)
print(details.variant, details.reason, details.flag_metadata["flagcore.rule"])  # on TARGETING_MATCH staff
print(client.explain("checkout.new", context))  # why: rule by rule, down to the bucket
with client.override({"checkout.new": False}):  # for tests and local development
    print(client.get_boolean_value("checkout.new", True, staff))  # False
client.close()
