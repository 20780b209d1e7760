"""Class names of the known datasets, spelled as in their annotation files.

They are used for simulated stand-ins; a ground truth states its classes itself.
"""

from __future__ import annotations

THUMOS14 = (
    "BaseballPitch", "BasketballDunk", "Billiards", "CleanAndJerk", "CliffDiving", "CricketBowling", "CricketShot",
    "Diving", "FrisbeeCatch", "GolfSwing", "HammerThrow", "HighJump", "JavelinThrow", "LongJump", "PoleVault",
    "Shotput", "SoccerPenalty", "TennisSwing", "ThrowDiscus", "VolleyballSpiking",
)  # fmt: skip
ACTIVITYNET12 = (
    "Archery", "Ballet", "Bathing dog", "Belly dance", "Breakdancing", "Brushing hair", "Brushing teeth",
    "Bungee jumping", "Cheerleading", "Chopping wood", "Clean and jerk", "Cleaning shoes", "Cleaning windows",
    "Cricket", "Cumbia", "Discus throw", "Dodgeball", "Doing karate", "Doing kickboxing", "Doing motocross",
    "Doing nails", "Doing step aerobics", "Drinking beer", "Drinking coffee", "Fixing bicycle", "Getting a haircut",
    "Getting a piercing", "Getting a tattoo", "Grooming horse", "Hammer throw", "Hand washing clothes", "High jump",
    "Hopscotch", "Horseback riding", "Ironing clothes", "Javelin throw", "Kayaking", "Layup drill in basketball",
    "Long jump", "Making a sandwich", "Mixing drinks", "Mowing the lawn", "Paintball", "Painting", "Ping-pong",
    "Plataform diving", "Playing accordion", "Playing badminton", "Playing bagpipes", "Playing field hockey",
    "Playing flauta", "Playing guitarra", "Playing harmonica", "Playing kickball", "Playing lacrosse", "Playing piano",
    "Playing polo", "Playing racquetball", "Playing saxophone", "Playing squash", "Playing violin",
    "Playing volleyball", "Playing water polo", "Pole vault", "Polishing forniture", "Polishing shoes",
    "Preparing pasta", "Preparing salad", "Putting on makeup", "Removing curlers", "Rock climbing", "Sailing",
    "Shaving", "Shaving legs", "Shot put", "Shoveling snow", "Skateboarding", "Smoking a cigarette", "Smoking hookah",
    "Snatch", "Spinning", "Springboard diving", "Starting a campfire", "Tai chi", "Tango",
    "Tennis serve with ball bouncing", "Triple jump", "Tumbling", "Using parallel bars", "Using the balance beam",
    "Using the pommel horse", "Using uneven bars", "Vacuuming floor", "Walking the dog", "Washing dishes",
    "Washing face", "Washing hands", "Windsurfing", "Wrapping presents", "Zumba",
)  # fmt: skip
ADDED_IN_ACTIVITYNET13 = (
    "Applying sunscreen", "Arm wrestling", "Assembling bicycle", "BMX", "Baking cookies", "Baton twirling",
    "Beach soccer", "Beer pong", "Blow-drying hair", "Blowing leaves", "Braiding hair", "Building sandcastles",
    "Bullfighting", "Calf roping", "Camel ride", "Canoeing", "Capoeira", "Carving jack-o-lanterns",
    "Changing car wheel", "Cleaning sink", "Clipping cat claws", "Croquet", "Curling", "Cutting the grass",
    "Decorating the Christmas tree", "Disc dog", "Doing a powerbomb", "Doing crunches", "Doing fencing", "Drum corps",
    "Elliptical trainer", "Fixing the roof", "Fun sliding down", "Futsal", "Gargling mouthwash", "Grooming dog",
    "Hand car wash", "Hanging wallpaper", "Having an ice cream", "Hitting a pinata", "Hula hoop", "Hurling",
    "Ice fishing", "Installing carpet", "Kite flying", "Kneeling", "Knitting", "Laying tile", "Longboarding",
    "Making a cake", "Making a lemonade", "Making an omelette", "Mooping floor", "Painting fence", "Painting furniture",
    "Peeling potatoes", "Plastering", "Playing beach volleyball", "Playing blackjack", "Playing congas",
    "Playing drums", "Playing ice hockey", "Playing pool", "Playing rubik cube", "Playing ten pins", "Powerbocking",
    "Putting in contact lenses", "Putting on shoes", "Rafting", "Raking leaves", "Removing ice from car",
    "Riding bumper cars", "River tubing", "Rock-paper-scissors", "Rollerblading", "Roof shingle removal",
    "Rope skipping", "Running a marathon", "Scuba diving", "Sharpening knives", "Shuffleboard", "Skiing", "Slacklining",
    "Snow tubing", "Snowboarding", "Spread mulch", "Sumo", "Surfing", "Swimming", "Swinging at the playground",
    "Table soccer", "Throwing darts", "Trimming branches or hedges", "Tug of war", "Using the monkey bar",
    "Using the rowing machine", "Wakeboarding", "Waterskiing", "Waxing skis", "Welding",
)  # fmt: skip
# HACS Segments has the 200 classes of ActivityNet 1.3.
HACS = tuple(sorted({"Volleyball", *ACTIVITYNET12, *ADDED_IN_ACTIVITYNET13} - {"Playing volleyball"}))
BEOID = (
    "fill_cup", "hold-down_button", "insert_foot", "insert_weight-pin", "insert_wire", "let-go_rowing-machine",
    "move_rest", "move_seat", "open_door", "open_jar", "pick-up_cup", "pick-up_jar", "pick-up_plug", "pick-up_tape",
    "place_tape", "plug_plug", "pour_spoon", "press_button", "pull-out_weight-pin", "pull_drawer",
    "pull_rowing-machine", "push_drawer", "push_rowing-machine", "put_cup", "put_jar", "rinse_cup",
    "rotate_weight-setting", "scan_card-reader", "scoop_spoon", "stir_spoon", "switch-on_socket", "take_cup",
    "take_spoon", "turn_tap",
)  # fmt: skip
GTEA = (
    "close", "open", "pour", "put", "scoop", "stir", "take",
)  # fmt: skip
